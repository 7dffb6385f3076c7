"""From a trained torch model to the graph that serves without torch: OpenVINO, static int8."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.encoder import MultiHead
from models.engines.runtime import load_nncf, load_openvino
from models.tokens import Ids

#: SmoothQuant's migration strength for matrix products (Xiao et al. 2023, section 4, alpha).
SMOOTH_ALPHA = 0.95
CALIBRATION_TEXTS = 300
# The heads stay float32: they are 0.1% of the work, and NNCF scales their two-dimensional input
# by a three-dimensional constant, which OpenVINO 2026.4 then broadcasts over the wrong axis: rows
# after the first come out wrong.
_HEADS = r"__module\.(heads\.|embedding).*"


def export_graph(model: MultiHead) -> Any:
    """The float32 graph in OpenVINO: input ``(batch, tokens) int64``, one output per head, and the embedding.

    It has no attention mask: rows come in equal length, without padding.
    """
    import torch

    openvino = load_openvino()
    example = torch.tensor([[1, 2, 3, 2], [1, 3, 2, 2]])  # ids that any vocabulary has
    with torch.inference_mode():
        graph = openvino.convert_model(
            model.eval(), example_input=example, input=[("ids", [-1, -1], openvino.Type.i64)]
        )
    for output, name in zip(graph.outputs, model.outputs, strict=True):
        output.get_tensor().set_names({name})
    return graph


def quantise(graph: Any, calibration: Sequence[Ids]) -> Any:
    """Static int8 graph: scales are fixed here from sample texts, none is taken from a batch.

    Post-training quantisation of NNCF for transformers, with SmoothQuant.

    Parameters
    ----------
    graph
        From `export_graph`.
    calibration
        Token ids of training texts.
    """
    nncf = load_nncf()
    from nncf.quantization.advanced_parameters import AdvancedSmoothQuantParameters, OverflowFix

    rows = [np.array([ids], dtype=np.int64) for ids in calibration]
    # NNCF draws its progress on standard output, where a command's answer goes.
    with contextlib.redirect_stdout(sys.stderr):
        return nncf.quantize(
            graph,
            nncf.Dataset(rows),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(rows),
            ignored_scope=nncf.IgnoredScope(patterns=[_HEADS]),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                # CPUs without VNNI add two products in 16 bits, which overflows at full range: weights
                # of seven bits give every CPU the same numbers.
                overflow_fix=OverflowFix.ENABLE,
                smooth_quant_alphas=AdvancedSmoothQuantParameters(matmul=SMOOTH_ALPHA),
            ),
        )
