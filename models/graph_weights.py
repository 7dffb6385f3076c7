"""A graph, and one weights file for it and for the torch model it was made of.

Every tensor of the torch model is looked for among the graph's constants: in the operations that its module
became, which OpenVINO names after it (``__module.encoder.pooler/aten::linear/MatMul``), else in all. What is
found must hold the same numbers up to rounding, so that a wrong guess is an error here and not a wrong
prediction later. A tensor that the graph does without is kept beside the constants.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from models.bundle import GRAPH, WEIGHTS
from models.encoder import MultiHead
from models.engines.runtime import load_openvino
from models.errors import ModelError
from models.weights import CONSTANT, SCALE, SMOOTH, product, write_weights

#: Of numpy, by OpenVINO's name.
_TYPES = {
    "boolean": np.bool_,
    "u8": np.uint8,
    "i8": np.int8,
    "i16": np.int16,
    "i32": np.int32,
    "i64": np.int64,
    "f16": np.float16,
    "f32": np.float32,
    "f64": np.float64,
}
_MODULE = re.compile(r"__module\.([^/]+)/")
_SMOOTH = "nncf_smooth_quant"
#: What a module's tensors become.
_OPERATIONS = {"weight": ("MatMul", "Gather", "Multiply"), "bias": ("Add",)}
# Allowed difference, relative and absolute: of float16, its rounding (IEEE 754: 11 bits, 2^-24 near zero); of
# float32, what folding one constant into another may cost.
_ROUNDING = {"f16": (2.0**-11, 2.0**-24), "f32": (1e-6, 1e-9)}

Array = NDArray[Any]
Blob = tuple[int, int]


def save_graph(graph: Any, model: MultiHead, folder: Path, half: bool = False) -> None:
    """Write a bundle's graph and weights.

    Parameters
    ----------
    graph
        OpenVINO model.
    model
        What it was made of, in float32.
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
    constants = _Constants(tree.getroot(), data)
    state = {name: tensor.detach().cpu().numpy() for name, tensor in model.state_dict().items()}
    names, tensors = _named(constants, state)
    places = write_weights(folder / WEIGHTS, tensors)
    for entry in constants.entries:
        entry.set("offset", str(places[names[_blob(entry)]]))
    tree.write(folder / GRAPH, encoding="utf-8", xml_declaration=True)


@dataclass(frozen=True, slots=True)
class _Use:
    """A constant of floats or int8, and what computes with it.

    Parameters
    ----------
    constant, scale, smooth
        Ids of the constant and of its factors.
    user
        Id of the operation, past conversions and factors.
    module
        Path of the torch module that the operation belongs to; empty where none is named.
    """

    constant: str
    scale: str | None
    smooth: str | None
    user: str
    module: str


class _Constants:
    """Constants of OpenVINO's intermediate representation and the operations that use them."""

    def __init__(self, root: ElementTree.Element, data: NDArray[np.uint8]) -> None:
        self._data = data
        self._layers = {layer.attrib["id"]: layer for layer in root.iterfind("layers/layer")}
        self._inputs: dict[str, list[str]] = defaultdict(list)
        self._users: dict[str, list[str]] = defaultdict(list)
        edges = (edge.attrib for edge in root.iterfind("edges/edge"))
        for edge in sorted(edges, key=lambda edge: int(edge["to-port"])):
            self._inputs[edge["to-layer"]].append(edge["from-layer"])
            self._users[edge["from-layer"]].append(edge["to-layer"])
        #: Type, shape and place of every constant, those of inner graphs too.
        self.entries = [
            entry
            for layer in root.iter("layer")
            if layer.get("type") == "Const" and (entry := layer.find("data")) is not None
        ]
        uses = [use for number in self._layers if (use := self._use(number))]
        factors = {factor for use in uses for factor in (use.scale, use.smooth)}
        #: Uses of constants that could be a tensor of the model.
        self.uses = [use for use in uses if use.constant not in factors]
        self._products = {use.user: use for use in uses if self.kind(use.user) == "MatMul"}

    def kind(self, number: str) -> str:
        """Type of an operation."""
        return self._layers[number].attrib["type"]

    def entry(self, number: str) -> ElementTree.Element:
        """Type, shape and place of a constant."""
        found = self._layers[number].find("data")
        assert found is not None
        return found

    def read(self, entry: ElementTree.Element) -> Array:
        """Numbers of a constant."""
        kind = entry.attrib["element_type"]
        if kind not in _TYPES:
            raise ModelError(f"the graph has constants of type {kind}, which no bundle can keep")
        start, size = _blob(entry)
        return self._data[start : start + size].view(_TYPES[kind]).reshape(_shape(entry))

    def factor(self, number: str | None) -> Array | None:
        """Numbers of a factor; None for None."""
        return None if number is None else self.read(self.entry(number))

    def value(self, use: _Use) -> Array:
        """The numbers an operation effectively uses."""
        smooth = self.factor(use.smooth)
        return product(
            self.read(self.entry(use.constant)),
            self.factor(use.scale),
            None if smooth is None else smooth.reshape(-1),
        )

    def allowed(self, use: _Use) -> Array:
        """How far the numbers may be from the model's: one step of int8, or rounding."""
        scale, smooth = self.factor(use.scale), self.factor(use.smooth)
        if scale is not None:
            return scale if smooth is None else scale * smooth.reshape(-1)
        relative, absolute = _ROUNDING[self.entry(use.constant).attrib["element_type"]]
        return np.abs(self.value(use)) * relative + absolute + self._correction(use)

    def _use(self, number: str) -> _Use | None:
        kind = self._layers[number].attrib.get("type")
        if kind != "Const" or not self._users[number]:
            return None
        kind = self.entry(number).attrib["element_type"]
        if kind not in ("i8", *_ROUNDING):
            return None
        user, scale = self._users[number][0], None
        while self._users[user]:
            if kind == "i8" and scale is None and self.kind(user) == "Multiply":
                scale = self._inputs[user][1]
            elif self.kind(user) != "Convert":
                break
            user = self._users[user][0]
        named = _MODULE.match(self._layers[user].attrib["name"])
        return _Use(number, scale, self._smooth(user), user, named[1] if named else "")

    def _smooth(self, user: str) -> str | None:
        """The constant that a matrix product's input is multiplied with for SmoothQuant."""
        if self.kind(user) != "MatMul":
            return None
        above = self._inputs[user][0]
        while self.kind(above) in ("FakeQuantize", "Convert"):
            above = self._inputs[above][0]
        if self.kind(above) == "Multiply" and _SMOOTH in self._layers[above].attrib["name"]:
            return self._inputs[above][1]
        return None

    def _correction(self, use: _Use) -> Array | float:
        """How far quantising may have moved a bias.

        NNCF adds to a bias the mean of what rounding took from the layer's outputs. Half a step of the
        weight at each of n inputs, of random sign and the largest size that the quantised input can have,
        add up to ``step / 2 * largest * sqrt(n)``.
        """
        layer = self._products.get(self._inputs[use.user][0])
        if self.kind(use.user) != "Add" or layer is None or layer.scale is None:
            return 0.0
        quantised = self._inputs[layer.user][0]
        if self.kind(quantised) != "FakeQuantize":
            return 0.0
        ends = [self.read(self.entry(number)) for number in self._inputs[quantised][3:5]]
        largest = max(float(np.abs(end).max()) for end in ends)
        steps: Array = self.read(self.entry(layer.scale)).reshape(-1)
        inputs = _shape(self.entry(layer.constant))[-1]
        return steps / 2 * largest * np.sqrt(inputs)


def _named(
    constants: _Constants, state: Mapping[str, Array]
) -> tuple[dict[Blob, str], dict[str, Array]]:
    """Name of each constant's place in the graph's own file, and all tensors to keep, by name."""
    names: dict[Blob, str] = {}
    tensors: dict[str, Array] = {}

    def keep(name: str, number: str, shape: tuple[int, ...]) -> None:
        # Where equal constants share a place, the second name gets a copy.
        entry = constants.entry(number)
        names.setdefault(_blob(entry), name)
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
    for entry in constants.entries:
        if _blob(entry) not in names:
            name = f"{CONSTANT}{len(tensors) - len(state)}"
            names[_blob(entry)] = name
            tensors[name] = constants.read(entry)
    return names, tensors


def _found(constants: _Constants, name: str, tensor: Array) -> _Use | None:
    """The constant that holds a tensor of the model; None where the graph does without it."""
    module, _, leaf = name.rpartition(".")
    alike = [
        use
        for use in constants.uses
        if _squeezed(_shape(constants.entry(use.constant))) == _squeezed(tensor.shape)
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


def _steps(constants: _Constants, use: _Use, tensor: Array) -> float:
    """Largest difference between a constant and a tensor, in parts of what is allowed."""
    value, allowed = constants.value(use), constants.allowed(use)
    apart = np.abs(value.reshape(tensor.shape) - tensor)
    return float(np.max(apart / np.broadcast_to(allowed, value.shape).reshape(tensor.shape)))


def _blob(entry: ElementTree.Element) -> Blob:
    return int(entry.attrib["offset"]), int(entry.attrib["size"])


def _shape(entry: ElementTree.Element) -> tuple[int, ...]:
    return tuple(int(size) for size in entry.attrib["shape"].split(",") if size.strip())


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)
