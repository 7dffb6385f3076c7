"""The project's own word lists, and how a list of YAML is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from models.errors import DataError


def read_list(name: str, path: Path | None = None) -> tuple[Any, Path]:
    """Content of a YAML file, and which file it was: `path`, or the built-in one of that name.

    Raises
    ------
    DataError
        When it cannot be read or is not YAML.
    """
    path = path or Path(__file__).with_name(name)
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")), path
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise DataError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
