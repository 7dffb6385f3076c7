"""The CUDA engine: does it say what float32 says, and how fast.

    bash tests/run gpu [--json FILE] [--texts N]

Where no CUDA device works it says so and measures nothing. Peer: the transformers pipeline at batch 32 with
an encoder of the same size, bfloat16, one head. Limit: an 8192-cubed matrix product in bfloat16.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench.texts import leads, median_s, titles

PEER_TEXTS = 4_096
#: Least share of labels that agree with float32, and most that a probability may be off for the rest.
LEAST_AGREEMENT = 0.99


def main() -> None:
    parser = argparse.ArgumentParser(description="Parity and speed of the CUDA engine.")
    parser.add_argument("--texts", type=int, default=20_000, help="Of each length.")
    parser.add_argument("--checked", type=int, default=1_000, help="Texts compared with float32.")
    parser.add_argument("--json", type=Path, help="Write the figures there as well.")
    given = parser.parse_args()
    reason = why_not()
    if reason:
        print(f"gpu: not run: {reason}")
        return
    figures = measured(given.texts, given.checked)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    show(figures)
    apart = [
        f"{kind} {head} {share:.4f}"
        for kind, found in figures["texts"].items()
        for head, share in found["agreement"].items()
        if share < LEAST_AGREEMENT
    ]
    if apart or not all(found["alone_as_in_a_batch"] for found in figures["texts"].values()):
        raise SystemExit(f"gpu: not as float32 says it, or not the same alone: {', '.join(apart)}")


def why_not() -> str | None:
    """Why nothing can be measured here; None where a CUDA device works."""
    try:
        import torch
    except ImportError:
        return "torch is not installed (foreshock[gpu])"
    if not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no CUDA device"
    return None


def measured(count: int, checked: int) -> dict[str, Any]:
    """All figures; see `show`."""
    import torch

    from models.bundle import load_bundle
    from models.classifier import Classifier
    from models.engines.torch import TorchEngine
    from models.tokens import encode, equal_length_batches, load_tokenizer
    from tests.bench import peers

    bundle = load_bundle(None)
    begun = time.perf_counter()
    engine = TorchEngine(bundle, device="cuda")
    classifier = Classifier(bundle, engine, "benchmark")
    loaded_s = time.perf_counter() - begun
    tokenizer = load_tokenizer(bundle.path("tokenizer.json"), bundle.max_tokens)
    per_token = 2 * peers.multiplied(engine._model.encoder)
    limit = product_flops()
    figures: dict[str, Any] = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "bundle": bundle.model_version,
        "load_s": loaded_s,
        "bf16_limit_tflops": limit / 1e12,
        "texts": {},
    }
    for kind, texts in {"title": titles(count), "title+lead": leads(count)}.items():
        ids = encode(tokenizer, texts)
        tokens = sum(map(len, ids))
        batches = [rows for _, rows in equal_length_batches(ids, engine.token_budget)]
        begun = time.perf_counter()
        engine.run(batches)
        first_s = time.perf_counter() - begun
        alone_s = median_s(lambda rows=batches: engine.run(rows))  # type: ignore[misc]
        whole_s = median_s(lambda said=texts: classifier.outputs(said))  # type: ignore[misc]
        predict_s = median_s(lambda said=texts: classifier.predict(said))  # type: ignore[misc]
        latency_s = median_s(lambda said=texts[:1]: classifier.predict(said), 50)  # type: ignore[misc]
        figures["texts"][kind] = {
            "texts": len(texts),
            "mean_tokens": tokens / len(texts),
            "prepared_s": first_s,
            "engine_items_per_s": len(texts) / alone_s,
            "engine_tflops": tokens * per_token / alone_s / 1e12,
            "of_limit": tokens * per_token / alone_s / limit,
            "outputs_items_per_s": len(texts) / whole_s,
            "predict_items_per_s": len(texts) / predict_s,
            "one_text_ms": latency_s * 1e3,
        }
    # Last: the pipeline switches the tokenizers' threads off for the whole process, and threads that
    # computed in float32 on the CPU would slow what is timed.
    for kind, texts in {"title": titles(PEER_TEXTS), "title+lead": leads(PEER_TEXTS)}.items():
        peer = peers.pipeline(bundle, peers.BATCH, device=0, bfloat16=True)
        peer_s = median_s(lambda said=texts, ask=peer: ask(said)) / len(texts)  # type: ignore[misc]
        said = figures["texts"][kind]
        said["pipeline_items_per_s"] = 1 / peer_s
        said["times_pipeline"] = said["predict_items_per_s"] * peer_s
    exact = Classifier(bundle, TorchEngine(bundle, device="cpu"), "reference")
    for kind, texts in {"title": titles(checked), "title+lead": leads(checked)}.items():
        found, floats = classifier.outputs(texts), exact.outputs(texts)
        single = [classifier.outputs([text]) for text in texts[:50]]
        figures["texts"][kind] |= {
            "agreement": {
                head.name: agreement(head.kind, found[head.name], floats[head.name])
                for head in bundle.heads
            },
            "largest_difference": {
                name: float(np.abs(found[name] - floats[name]).max()) for name in found
            },
            "alone_as_in_a_batch": all(
                np.array_equal(one[name][0], found[name][i])
                for i, one in enumerate(single)
                for name in found
            ),
        }
    return figures


def agreement(kind: str, found: np.ndarray[Any, Any], exact: np.ndarray[Any, Any]) -> float:
    """Share of labels that are the same: the most probable one, or all that are more likely than not."""
    if kind == "multi":
        return float(((found > 0) == (exact > 0)).mean())
    return float((found.argmax(axis=1) == exact.argmax(axis=1)).mean())


def product_flops(size: int = 8_192) -> float:
    """Operations a second of a bfloat16 matrix product, the machine's limit."""
    import torch

    a, b = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))

    def product() -> None:
        for _ in range(10):
            torch.mm(a, b)
        torch.cuda.synchronize()

    product()
    return 10 * 2 * size**3 / median_s(product)


def show(figures: dict[str, Any]) -> None:
    """Print the figures for people."""
    print(
        f"{figures['device']}, torch {figures['torch']}, {figures['bundle']}, loaded in "
        f"{figures['load_s']:.1f} s; bfloat16 matrix product {figures['bf16_limit_tflops']:.0f} TFLOP/s"
    )
    for kind, found in figures["texts"].items():
        worst = min(found["agreement"].values())
        print(
            f"{kind}: {found['mean_tokens']:.0f} tokens; engine {found['engine_items_per_s']:,.0f} "
            f"items/s ({found['of_limit']:.0%} of the limit), tokenised as well "
            f"{found['outputs_items_per_s']:,.0f}, predictions {found['predict_items_per_s']:,.0f}: "
            f"{found['times_pipeline']:.1f} times the pipeline's {found['pipeline_items_per_s']:,.0f}; "
            f"one text in {found['one_text_ms']:.1f} ms; shapes prepared in {found['prepared_s']:.1f} s; "
            f"labels as float32: {worst:.2%} at least; alone as in a batch: "
            f"{'yes' if found['alone_as_in_a_batch'] else 'NO'}"
        )


if __name__ == "__main__":
    main()
