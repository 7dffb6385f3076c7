"""A graph, and one weights file for it and for the torch model it was made of.

Every tensor of the torch model is looked for among the graph's constants: in the operations that its module
became, which OpenVINO names after it (``__module.encoder.pooler/aten::linear/MatMul``), else in all. What is
found must hold the same numbers up to rounding, so that a wrong guess is an error here and not a wrong
prediction later. A tensor that the graph does without is kept beside the constants.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from models.bundle import GRAPH, WEIGHTS
from models.encoder import MultiHead
from models.engines.runtime import load_openvino
from models.errors import ModelError
from models.graph_constants import Array, Blob, Constants, Use, blob, shape_of
from models.weights import CONSTANT, SCALE, SMOOTH, write_weights

#: What a module's tensors become.
_OPERATIONS = {"weight": ("MatMul", "Gather", "Multiply"), "bias": ("Add",)}


def save_graph(graph: Any, model: MultiHead, folder: Path, half: bool = False) -> None:
    """Write a bundle's graph and weights.

    Parameters
    ----------
    graph
        OpenVINO model.
    model
        What it was made of, adapter merged, in float32.
    folder
        Of the bundle.
    half
        Keep in 16 bits what is not int8.

    Raises
    ------
    ModelError
        When the operation a module became holds other numbers than the module: the graph is not of this
        model, or OpenVINO or NNCF changed a constant in a way not known here.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".graph-") as part:
        made = Path(part) / GRAPH
        load_openvino().save_model(graph, made, compress_to_fp16=half)
        tree = ElementTree.parse(made)
        data = np.fromfile(made.with_suffix(".bin"), dtype=np.uint8)
    constants = Constants(tree.getroot(), data)
    state = {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}
    names, tensors = _named(constants, state)
    places = write_weights(folder / WEIGHTS, tensors)
    for entry in constants.entries:
        entry.set("offset", str(places[names[blob(entry)]]))
    tree.write(folder / GRAPH, encoding="utf-8", xml_declaration=True)


def _named(
    constants: Constants, state: Mapping[str, Array]
) -> tuple[dict[Blob, str], dict[str, Array]]:
    """Name of each constant's place in the graph's own file, and all tensors to keep, by name."""
    names: dict[Blob, str] = {}
    tensors: dict[str, Array] = {}

    def keep(name: str, number: str, shape: tuple[int, ...]) -> None:
        # Where equal constants share a place, the second name gets a copy.
        entry = constants.entry(number)
        names.setdefault(blob(entry), name)
        tensors[name] = constants.read(entry).reshape(shape)

    for name, tensor in state.items():
        use = _found(constants, name, tensor)
        if use is None:
            tensors[name] = tensor
            continue
        keep(name, use.constant, tensor.shape)
        if use.scale is not None:
            keep(name + SCALE, use.scale, (-1, 1))
        if use.smooth is not None:
            keep(name + SMOOTH, use.smooth, (-1,))
    others = {blob(entry): entry for entry in constants.entries if blob(entry) not in names}
    for number, (place, entry) in enumerate(others.items()):
        names[place] = f"{CONSTANT}{number}"
        tensors[names[place]] = constants.read(entry)
    return names, tensors


def _found(constants: Constants, name: str, tensor: Array) -> Use | None:
    """The constant that holds a tensor of the model; None where the graph does without it."""
    module, _, leaf = name.rpartition(".")
    alike = [
        use
        for use in constants.uses
        if _squeezed(shape_of(constants.entry(use.constant))) == _squeezed(tensor.shape)
    ]
    kinds = _OPERATIONS.get(leaf)
    own = [
        use
        for use in alike
        if use.module == module and (kinds is None or constants.kind(use.user) in kinds)
    ]
    steps = [(_steps(constants, use, tensor), use) for use in own or alike]
    least, best = min(steps, key=lambda pair: pair[0], default=(np.inf, None))
    if least <= 1:
        return best
    if own:
        raise ModelError(
            f"the graph's {name} is not the model's: it is off by {least:.3g} times what rounding explains; "
            "make the graph anew from this model, or install the versions of openvino and nncf that "
            "foreshock was released with"
        )
    return None


def _steps(constants: Constants, use: Use, tensor: Array) -> float:
    """Largest difference between a constant and a tensor, in parts of what is allowed."""
    value, allowed = constants.value(use), constants.allowed(use)
    apart = np.abs(value.reshape(tensor.shape) - tensor)
    return float(np.max(apart / np.broadcast_to(allowed, value.shape).reshape(tensor.shape)))


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)
