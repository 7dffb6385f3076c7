"""Constants of OpenVINO's intermediate representation: their numbers, and what computes with them.

NNCF stores a quantised weight as int8 times a scale, and moves a part of it to the layer's input for
SmoothQuant (Xiao et al. 2023, section 4): what the layer effectively multiplies is the product of all three.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from models.errors import ModelError
from models.weights import product

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
# Allowed difference, relative and absolute: of float16, its rounding (IEEE 754: 11 bits, 2^-24 near zero); of
# float32, what folding one constant into another may cost.
_ROUNDING = {"f16": (2.0**-11, 2.0**-24), "f32": (1e-6, 1e-9)}

Array = NDArray[Any]
Blob = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Use:
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


class Constants:
    """The constants of a graph and the operations that use them.

    Parameters
    ----------
    root
        Of the graph's XML.
    data
        Bytes of its constants.
    """

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
        start, size = blob(entry)
        return self._data[start : start + size].view(_TYPES[kind]).reshape(shape_of(entry))

    def value(self, use: Use) -> Array:
        """The numbers an operation effectively uses."""
        return self._times_factors(use, self.read(self.entry(use.constant)))

    def allowed(self, use: Use) -> Array:
        """How far the numbers may be from the model's: one step of int8, or rounding."""
        kind = self.entry(use.constant).attrib["element_type"]
        relative, absolute = _ROUNDING.get(kind, (0.0, 1e-9))
        result: Array = np.abs(self.value(use)) * relative + absolute + self._correction(use)
        if use.scale is not None:
            result = result + self._times_factors(use, np.ones_like(result))
        return result

    def _times_factors(self, use: Use, numbers: Array) -> Array:
        scale, smooth = (
            None if number is None else self.read(self.entry(number))
            for number in (use.scale, use.smooth)
        )
        return product(numbers, scale, None if smooth is None else smooth.reshape(-1))

    def _use(self, number: str) -> Use | None:
        if self.kind(number) != "Const" or not self._users[number]:
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
        return Use(number, scale, self._smooth(user), user, named[1] if named else "")

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

    def _correction(self, use: Use) -> Array | float:
        """How far quantising may have moved a bias.

        NNCF adds to a bias the mean of what rounding took from the layer's outputs. Half a step of the
        weight at each of n inputs, of random sign and the largest size that the quantised input can have,
        add up to ``step / 2 * largest * sqrt(n)``; twice that is allowed, two standard deviations.
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
        inputs = shape_of(self.entry(layer.constant))[-1]
        moved: Array = steps * largest * np.sqrt(inputs)
        return moved


def blob(entry: ElementTree.Element) -> Blob:
    """Where a constant's numbers lie in the graph's own file: first byte, and how many."""
    return int(entry.attrib["offset"]), int(entry.attrib["size"])


def shape_of(entry: ElementTree.Element) -> tuple[int, ...]:
    """Shape of a constant."""
    return tuple(int(size) for size in entry.attrib["shape"].split(",") if size.strip())
