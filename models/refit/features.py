"""What the graph that serves gives its heads: the text as the encoder left it (OpenVINO)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from models.bundle import GRAPH, TOKENIZER, WEIGHTS, Bundle
from models.engines.runtime import load_openvino
from models.errors import ModelError
from models.labels import Head, HeadKind
from models.targets import mark_target, unmarked
from models.tokens import encode, equal_length_batches, load_tokenizer

Features = NDArray[np.float32]

_TOKENS = 1_536  # of a batch
_PRODUCT = "__module.heads.{}/aten::linear/MatMul"


class HeadInputs:
    """Reads texts up to the last product of some heads.

    Parameters
    ----------
    bundle
        Verified.
    heads
        Of it.
    threads
        CPU threads; None for every core.

    Raises
    ------
    ModelError
        When the graph does not show where a head begins.
    """

    def __init__(self, bundle: Bundle, heads: Sequence[Head], threads: int | None = None) -> None:
        openvino = load_openvino()
        core = openvino.Core()
        graph = core.read_model(bundle.path(GRAPH), bundle.path(WEIGHTS))
        products = {op.get_friendly_name(): op for op in graph.get_ops()}
        self._places: dict[str, int] = {}
        seen: dict[str, int] = {}
        for head in heads:
            product = products.get(_PRODUCT.format(head.name))
            if product is None:
                raise ModelError(
                    f"{bundle.path(GRAPH)}: does not show where head {head.name!r} begins; train the whole "
                    "model instead, with a recipe"
                )
            source = product.input(0).get_source_output()
            name = source.get_node().get_friendly_name()
            if name not in seen:  # heads that read the whole text read one output
                graph.add_outputs([source])
                seen[name] = len(graph.outputs) - 1
            self._places[head.name] = seen[name]
        options = {
            "INFERENCE_PRECISION_HINT": (
                "bf16" if bundle.precision.get("openvino") == "bfloat16" else "f32"
            )
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = str(threads)
        self._compiled = core.compile_model(graph, "CPU", options)
        self._heads = {head.name: head for head in heads}
        self._tokenizer = load_tokenizer(bundle.path(TOKENIZER), bundle.max_tokens)

    def of(
        self,
        head: str,
        texts: Sequence[str],
        targets: Sequence[str] = (),
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Features:
        """Return what a head reads of each text, ``(texts, width) float32``.

        Parameters
        ----------
        texts
            As `models.text.model_input` makes them.
        targets
            Of a head that is asked about a company, the company's name in each text.
        progress
            Told (texts read, texts in all).
        """
        if self._heads[head].kind is HeadKind.TARGET:
            read = [mark_target(text, [name]) for text, name in zip(texts, targets, strict=True)]
        else:
            read = [unmarked(text) for text in texts]
        found: Features | None = None
        done = 0
        for rows, ids in equal_length_batches(encode(self._tokenizer, read), _TOKENS):
            values = self._compiled([ids])[self._places[head]]
            if found is None:
                found = np.empty((len(texts), values.shape[1]), dtype=np.float32)
            found[rows] = values
            done += len(rows)
            progress(done, len(texts))
        if found is None:
            raise ModelError(f"head {head}: no texts to read")
        return found
