"""What a user would classify with instead of Foreshock: the same encoder in other runtimes, on CPUs.

Each is a function of texts that answers every text; speeds are compared, so a peer whose head is untrained is
as good as a trained one. Those that read all heads take the bundle's own weights.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle import TOKENIZER, Bundle
from models.encoder import MultiHead, restore
from models.tokens import encode, load_tokenizer
from tests.bench.environments import environment

BATCH = 32
INFINITY = "infinity-emb[torch]==0.0.78"
Peer = Callable[[Sequence[str]], object]


def pipeline(bundle: Bundle, batch: int, device: int = -1, bfloat16: bool = False) -> Peer:
    """The transformers pipeline with one head.

    Parameters
    ----------
    batch
        Texts per pass, in order of arrival, padded to the longest.
    device
        -1 for the CPU, else the number of a CUDA device.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast
    from transformers import pipeline as make

    config = AutoConfig.for_model(**_plain(bundle), num_labels=3)
    build: Any = AutoModelForSequenceClassification
    model = build.from_config(config, dtype=torch.bfloat16 if bfloat16 else torch.float32)
    fast: Any = PreTrainedTokenizerFast
    loaded = load_tokenizer(bundle.path(TOKENIZER), bundle.max_tokens)
    wrapped = fast(tokenizer_object=loaded, pad_token="[PAD]")
    peer = make("text-classification", model=model, tokenizer=wrapped, device=device)
    most = bundle.max_tokens
    return lambda texts: peer(list(texts), batch_size=batch, truncation=True, max_length=most)


@contextmanager
def infinity(bundle: Bundle, folder: Path) -> Iterator[Peer]:
    """infinity-emb on the CPU, the encoder with one untrained head; a process of its own, asked over a pipe.

    It needs no hub: the model is a folder. It needs packages that we do not have in versions that ours refuse
    (transformers below 5), so that it gets an environment of its own, some gigabytes with its torch.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

    build: Any = AutoModelForSequenceClassification
    model = build.from_config(
        AutoConfig.for_model(**_plain(bundle), num_labels=3), dtype=torch.float32
    )
    model.save_pretrained(folder)
    fast: Any = PreTrainedTokenizerFast
    loaded = load_tokenizer(bundle.path(TOKENIZER), bundle.max_tokens)
    fast(tokenizer_object=loaded, pad_token="[PAD]").save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    known = json.loads(settings.read_text("utf-8"))
    # The class is called otherwise since transformers 5, which infinity-emb does not have.
    settings.write_text(json.dumps(known | {"tokenizer_class": "PreTrainedTokenizerFast"}), "utf-8")
    command = [environment(INFINITY), Path(__file__).with_name("infinity_peer.py"), folder]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def classify(texts: Sequence[str]) -> object:
            asked.write(json.dumps(list(texts)) + "\n")
            asked.flush()
            found = answers.readline()
            if found != f"{len(texts)}\n":
                raise RuntimeError(f"infinity-emb answered {found!r} to {len(texts)} texts")
            return found

        if answers.readline() != "ready\n":
            raise RuntimeError("infinity-emb did not start; see above")
        try:
            yield classify
        finally:
            asked.close()


def script(bundle: Bundle, model: Any = None) -> Peer:
    """A loop over padded batches in torch, as the FinBERT repositories show it; all heads, float32."""
    import torch

    tokenizer = load_tokenizer(bundle.path(TOKENIZER), bundle.max_tokens)
    model = model or restore(bundle)

    def classify(texts: Sequence[str]) -> object:
        with torch.inference_mode():
            return [
                model(torch.from_numpy(ids), torch.from_numpy(mask))
                for ids, mask in _padded(tokenizer, texts)
            ]

    return classify


def finbert_sized(bundle: Bundle) -> Peer:
    """The same loop with an encoder as large as BERT base (12 layers, 768 wide), one head, untrained."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.for_model("bert", num_labels=3)
    build: Any = AutoModelForSequenceClassification
    return script(bundle, build.from_config(config).eval())


def onnx(bundle: Bundle, folder: Path, int8: bool) -> Peer:
    """ONNX Runtime over padded batches in order of arrival, all heads; dynamically quantised, or float32."""
    import onnxruntime

    path = folder / "padded.onnx"
    if not path.exists():
        _export(restore(bundle), path)
    if int8:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantised = folder / "padded-int8.onnx"
        quantize_dynamic(path, quantised, weight_type=QuantType.QInt8)
        path = quantised
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    tokenizer = load_tokenizer(bundle.path(TOKENIZER), bundle.max_tokens)

    def classify(texts: Sequence[str]) -> object:
        return [
            session.run(None, {"ids": ids, "mask": mask}) for ids, mask in _padded(tokenizer, texts)
        ]

    return classify


def _padded(
    tokenizer: Any, texts: Sequence[str]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for start in range(0, len(texts), BATCH):
        rows = encode(tokenizer, texts[start : start + BATCH])
        width = max(map(len, rows))
        ids = np.zeros((len(rows), width), dtype=np.int64)
        mask = np.zeros_like(ids)
        for line, row in enumerate(rows):
            ids[line, : len(row)] = row
            mask[line, : len(row)] = 1
        yield ids, mask


def _export(model: MultiHead, path: Path) -> None:
    import torch

    ids = torch.ones((2, 7), dtype=torch.int64)
    mask = torch.tensor([[1] * 7, [1] * 5 + [0] * 2])
    tokens = int(model.encoder.config.max_position_embeddings)  # type: ignore[union-attr, arg-type]
    sizes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("tokens", min=2, max=tokens)}
    program: Any = torch.onnx.export(
        model.eval(),
        (ids, mask),
        input_names=["ids", "mask"],
        dynamo=True,
        dynamic_shapes={"ids": sizes, "mask": sizes},
        verbose=False,
    )
    program.save(str(path), external_data=False)


def multiplied(encoder: Any) -> int:
    """Weights that a token is multiplied by: those of the encoder's matrices, embeddings left out."""
    return sum(
        parameter.numel()
        for name, parameter in encoder.named_parameters()
        if parameter.dim() == 2 and "embeddings" not in name
    )


def _plain(bundle: Bundle) -> dict[str, Any]:
    return {name: value for name, value in bundle.architecture.items() if name != "pruned_heads"}
