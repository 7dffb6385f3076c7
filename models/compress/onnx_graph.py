"""ONNX for other runtimes: input ``ids (batch, tokens) int64``, one output per head.

As in the bundle's own graph there is no attention mask: rows come in equal length, unpadded.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.compress.trained import outputs
from models.encoder import MultiHead
from models.engines import Ids2D, Logits
from models.errors import BundleError, MissingExtraError, ModelError

#: Largest difference between ONNX Runtime's outputs and torch's, both in float32.
TOLERANCE = 1e-3
_EXAMPLE = (2, 7)
_CHECKED = ((1, 3), (4, 33), (2, 128))


class _ByPosition(nn.Module):
    """A model whose outputs come as a tuple, in the order of their names."""

    def __init__(self, model: MultiHead) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> tuple[Tensor, ...]:
        return tuple(outputs(self.model, ids).values())


def export_onnx(model: MultiHead, path: Path) -> float:
    """Write a model as one ``.onnx`` file and check what it computes.

    Parameters
    ----------
    model
        In evaluation mode, float32, on the CPU.
    path
        File to write.

    Returns
    -------
    float
        Largest difference found between ONNX Runtime and torch.

    Raises
    ------
    MissingExtraError
        When onnx, onnxscript or onnxruntime is not installed.
    ModelError
        When the exporter refuses the model, or the file computes something else.
    """
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("exporting ONNX", "train", error.name or "onnx") from error
    example = _ids(model, _EXAMPLE)
    with torch.inference_mode():
        names = list(outputs(model, torch.from_numpy(example)))
    tokens = int(model.encoder.config.max_position_embeddings)  # type: ignore[union-attr, arg-type]
    sizes = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("tokens", min=2, max=tokens)}
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own insides
            program: Any = torch.onnx.export(
                _ByPosition(model).eval(),
                (torch.from_numpy(example),),
                input_names=["ids"],
                output_names=names,
                dynamo=True,
                dynamic_shapes={"ids": sizes},
                verbose=False,
            )
            _keep_apart(program, names)
            program.save(str(path), external_data=False)
    except Exception as error:  # the exporter raises many unrelated types
        raise ModelError(
            f"torch cannot export this model to ONNX: {str(error).splitlines()[0]}; try another "
            "--format, or another version of torch and onnxscript"
        ) from error
    finally:
        quiet.setLevel(level)
    return _checked(model, path, names)


def _keep_apart(program: Any, names: Sequence[str]) -> None:
    """Rename inner values that are called as an output is: torch names them after their operations."""
    given = {id(value) for value in program.model.graph.outputs}
    for node in program.model.graph.all_nodes():
        for value in node.outputs:
            if value.name in names and id(value) not in given:
                value.name = f"inner_{value.name}"


def _checked(model: MultiHead, path: Path, names: Sequence[str]) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = [output.name for output in session.get_outputs()]
    if found != list(names):
        raise ModelError(f"{path}: its outputs are {found}, expected {list(names)}")
    worst = 0.0
    for shape in _CHECKED:
        ids = _ids(model, shape)
        with torch.inference_mode():
            expected = outputs(model, torch.from_numpy(ids)).values()
        for ours, theirs in zip(expected, session.run(None, {"ids": ids}), strict=True):
            worst = max(worst, float(np.abs(ours.numpy() - theirs).max()))
    if not worst <= TOLERANCE:
        raise ModelError(
            f"{path}: ONNX Runtime differs from torch by {worst:.2g} (allowed {TOLERANCE:g}); "
            "do not use this file, and try another version of torch and onnxscript"
        )
    return worst


def _ids(model: MultiHead, shape: tuple[int, int]) -> Ids2D:
    config: Any = model.encoder.config
    width = min(shape[1], int(config.max_position_embeddings))
    drawn = np.random.default_rng(5).integers(0, int(config.vocab_size), (shape[0], width))
    return drawn.astype(np.int64)


class OnnxEngine:
    """Runs an exported file in ONNX Runtime; an engine in the sense of `models.engines.Engine`.

    Parameters
    ----------
    path
        From `export_onnx`.
    heads
        Outputs wanted, in order.
    threads
        CPU threads; None for every core.

    Raises
    ------
    BundleError
        When the file cannot be loaded or lacks a head.
    """

    name = "onnx"
    detail = "cpu: ONNX Runtime float32"
    token_budget = 4_096
    window = None

    def __init__(self, path: Path, heads: Sequence[str], threads: int | None = None) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("running ONNX", "train", "onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common type
            raise BundleError(f"{path}: ONNX Runtime cannot load it: {error}") from error
        there = [output.name for output in self._session.get_outputs()]
        if missing := [head for head in heads if head not in there]:
            raise BundleError(f"{path}: has no output {missing[0]!r}; it has {', '.join(there)}")
        self._heads = list(heads)

    def run(self, batches: Sequence[Ids2D]) -> list[Logits]:
        """Logits of every batch; see `models.engines.Engine`."""
        return [
            tuple(
                np.asarray(head, dtype=np.float32)
                for head in self._session.run(self._heads, {"ids": batch})
            )
            for batch in batches
        ]
