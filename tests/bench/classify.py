"""Classification on the CPU beside what a user would pick instead, in one run.

    python -m tests.bench.classify [--titles N] [--leads N] [--infinity] [--json]

All take turns, on the same real texts, with every core; medians of five. Ours are whole predictions, with
every head, probabilities and embedding. Limits: square matrix products in float32, bfloat16 and int8.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import load_bundle
from models.classifier import Classifier
from models.tokens import encode, load_tokenizer
from tests.bench import peers
from tests.bench.texts import in_turn, leads, median_s, titles

#: So much slower than the rest that a share of the texts is enough.
SLOW = {"BERT-base script, batch 32": 8, "transformers pipeline, batch 1": 4}
OURS = "Foreshock"
PIPELINE = "transformers pipeline, batch 32"
ONNX_INT8 = "ONNX Runtime, dynamic int8, batch 32"


def main() -> None:
    parser = argparse.ArgumentParser(description="Classification beside its peers, on the CPU.")
    parser.add_argument("--titles", type=int, default=1_000)
    parser.add_argument("--leads", type=int, default=320)
    parser.add_argument("--infinity", action="store_true", help="install infinity-emb, and ask it")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    texts = {"title": titles(given.titles), "title+lead": leads(given.leads)}
    figures = measured(texts, given.infinity)
    if given.json:
        print(json.dumps(figures, indent=1))
    else:
        show(figures)


def measured(texts: dict[str, list[str]], infinity: bool = False) -> dict[str, Any]:
    """Items a second of each, ratios, agreement with float32 and the share of the machine's limits."""
    bundle = load_bundle(None)
    ours = Classifier.load(None, "openvino")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        others: dict[str, peers.Peer] = {
            PIPELINE: peers.pipeline(bundle, peers.BATCH),
            "transformers pipeline, batch 1": peers.pipeline(bundle, 1),
            "torch script, batch 32": peers.script(bundle),
            "BERT-base script, batch 32": peers.finbert_sized(bundle),
            "ONNX Runtime, float32, batch 32": peers.onnx(bundle, Path(folder), int8=False),
            ONNX_INT8: peers.onnx(bundle, Path(folder), int8=True),
        }
        if infinity:
            own = Path(folder) / "infinity"
            others["infinity-emb, batch 32"] = running.enter_context(peers.infinity(bundle, own))
        figures: dict[str, Any] = {"bundle": bundle.model_version, "limits": limits(), "texts": {}}
        for kind, given in texts.items():
            figures["texts"][kind] = _compared(ours, others, given) | _work(ours, given)
    exact = Classifier.load(None, "torch")
    for kind, given in texts.items():
        found, floats = ours.predict(given), exact.predict(given)
        rate = figures["texts"][kind]["items_per_s"][OURS]
        figures["texts"][kind]["of_limit"] = {
            name: rate * figures["texts"][kind]["operations"] / limit
            for name, limit in figures["limits"].items()
        }
        figures["texts"][kind]["labels_as_float32"] = {
            "topic": _same([p.topic for p in found], [p.topic for p in floats]),
            "sentiment": _same([p.sentiment for p in found], [p.sentiment for p in floats]),
        }
    return figures


def limits(size: int = 2_048) -> dict[str, float]:
    """Operations a second of square matrix products on every core."""
    import torch

    def rate(product: Callable[[], object]) -> float:
        return 2 * size**3 / median_s(product)

    wide = [torch.randn(size, size) for _ in range(2)]
    half = [each.bfloat16() for each in wide]
    whole = [torch.randint(-100, 100, (size, size), dtype=torch.int8) for _ in range(2)]
    return {
        "float32": rate(lambda: torch.mm(*wide)),
        "bfloat16": rate(lambda: torch.mm(*half)),
        "int8": rate(lambda: torch._int_mm(*whole)),
    }


def _compared(ours: Classifier, others: dict[str, peers.Peer], given: list[str]) -> dict[str, Any]:
    shares = {name: given[: max(peers.BATCH, len(given) // SLOW.get(name, 1))] for name in others}
    calls: dict[str, Callable[[], object]] = {OURS: lambda: ours.predict(given)}
    for name, peer in others.items():
        calls[name] = lambda ask=peer, texts=shares[name]: ask(texts)  # type: ignore[misc]
    seconds = in_turn(calls)
    rates = {name: len(shares.get(name, given)) / spent for name, spent in seconds.items()}
    return {
        "texts": len(given),
        "items_per_s": rates,
        "times": {name: rates[OURS] / rate for name, rate in rates.items()},
    }


def _work(ours: Classifier, given: list[str]) -> dict[str, Any]:
    """Tokens, and operations of the matrix products, of a text."""
    from models.encoder import restore

    lengths = [
        len(row)
        for row in encode(
            load_tokenizer(ours.bundle.path("tokenizer.json"), ours.bundle.max_tokens), given
        )
    ]
    weights = peers.multiplied(restore(ours.bundle).encoder)
    width, layers = (ours.bundle.architecture[k] for k in ("hidden_size", "num_hidden_layers"))
    # Attention: every token with every token, once for the scores and once for the values.
    attention = float(np.mean([4 * layers * width * n * n for n in lengths]))
    return {
        "mean_tokens": float(np.mean(lengths)),
        "operations": 2 * weights * float(np.mean(lengths)) + attention,
    }


def _same(found: list[str | None], exact: list[str | None]) -> float:
    return sum(a == b for a, b in zip(found, exact, strict=True)) / len(exact)


def show(figures: dict[str, Any]) -> None:
    """Print a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{figures['bundle']} on the CPU, medians of five, items a second")
    table.add_column("")
    kinds = figures["texts"]
    for kind, found in kinds.items():
        table.add_column(f"{kind} ({found['mean_tokens']:.0f} tokens)", justify="right")
        table.add_column("ours is", justify="right")
    for name in next(iter(kinds.values()))["items_per_s"]:
        cells = []
        for found in kinds.values():
            times = "" if name == OURS else f"{found['times'][name]:.1f} x"
            cells += [f"{found['items_per_s'][name]:,.1f}", times]
        table.add_row(name, *cells)
    console = Console(width=120)
    console.print(table)
    for kind, found in kinds.items():
        shares = ", ".join(
            f"{share:.0%} of the {name} product's {figures['limits'][name] / 1e9:,.0f} Gop/s"
            for name, share in found["of_limit"].items()
        )
        same = ", ".join(
            f"{head} {share:.2%}" for head, share in found["labels_as_float32"].items()
        )
        console.print(f"{kind}: {shares}; labels as float32: {same}")


if __name__ == "__main__":
    main()
