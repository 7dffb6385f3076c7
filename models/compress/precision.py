"""The graph that serves, in another arithmetic: static int8, bfloat16 or float32.

bfloat16 keeps weights in 16 bits; whether products run in bfloat16 is the engine's, which takes it
from the bundle's ``precision``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from models.encoder import MultiHead
from models.errors import ModelError
from models.quantise import export_graph, quantise
from models.tokens import Ids

PRECISIONS = ("int8", "bfloat16", "float32")


def graph_of(model: MultiHead, precision: str, calibration: Sequence[Ids]) -> Any:
    """The OpenVINO graph of a model.

    Parameters
    ----------
    model
        In evaluation mode.
    precision
        One of `PRECISIONS`.
    calibration
        Token ids of texts that fix the scales; needed for ``int8`` only.

    Raises
    ------
    ModelError
        When the precision is unknown, or int8 has nothing to calibrate on.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    graph = export_graph(model)
    if precision != "int8":
        return graph
    if not calibration:
        raise ModelError(
            "int8 takes its scales from sample texts: name some with --texts or --data"
        )
    return quantise(graph, calibration)
