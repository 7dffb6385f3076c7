"""The file that says in words what labels mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from models.errors import DataError
from models.labels import Head, HeadKind

#: In a template it stands for a description, in a pattern for the text.
SLOT = "{}"
#: In a pattern it stands for the base's own mask token.
MASK = "[MASK]"
#: Folder of the files that come with the package.
FOLDER = Path(__file__).parent

#: Texts as `models.text.model_input` makes them to probabilities, ``(texts, labels) float64``.
Score = Callable[[Sequence[str]], NDArray[np.float64]]

_Strings = Annotated[tuple[str, ...], Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Label(_Section):
    """One label: what it is about, and words that stand for it under a mask."""

    descriptions: _Strings
    words: tuple[str, ...] = ()


class DescribedHead(_Section):
    """One head: templates for its descriptions, patterns with a mask, and its labels."""

    templates: _Strings
    patterns: tuple[str, ...] = ()
    labels: Annotated[dict[str, Label], Field(min_length=2)]

    def head(self, name: str) -> Head:
        """As a head that gives one of its labels, in the file's order."""
        return Head(name, HeadKind.SINGLE, tuple(self.labels))


_FILE = TypeAdapter(Annotated[dict[str, DescribedHead], Field(min_length=1)])


def read_labels(reference: str | Path) -> dict[str, DescribedHead]:
    """Read what labels mean, by head.

    Parameters
    ----------
    reference
        A YAML file, or the name of one that comes with the package: ``news``.

    Raises
    ------
    DataError
        When it cannot be read, a key is wrong, or a template or pattern lacks its slot; names the place.
    """
    path = Path(reference)
    if not path.is_file() and (FOLDER / f"{reference}.yaml").is_file():
        path = FOLDER / f"{reference}.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        heads = _FILE.validate_python(content)
    except OSError as error:
        there = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise DataError(
            f"{path}: {error.strerror}; name a YAML file, or one that comes with foreshock: {there}"
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise DataError(f"{path}: " + "; ".join(lines)) from error
    for name, head in heads.items():
        _check_slots(path, name, head)
    return heads


def _check_slots(path: Path, name: str, head: DescribedHead) -> None:
    for template in head.templates:
        if template.count(SLOT) != 1:
            raise DataError(
                f"{path}: {name}.templates: {template!r} needs {SLOT} once, for the description"
            )
    for pattern in head.patterns:
        if pattern.count(SLOT) != 1 or pattern.count(MASK) != 1:
            raise DataError(
                f"{path}: {name}.patterns: {pattern!r} needs {SLOT} once, for the text, and "
                f"{MASK} once, for the word"
            )
