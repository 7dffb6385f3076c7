"""What can go wrong in ``models``, for the caller to tell apart.

::

    ModelError
    ├── BundleError        a bundle is missing, damaged or of another kind
    ├── DataError          a labelled file lacks a column, a label or a split, or cannot be read
    └── MissingExtraError  an optional library is needed and not installed
"""

from __future__ import annotations


class ModelError(Exception):
    """Base of every error of ``models``; its message says what to change."""


class BundleError(ModelError):
    """A bundle is missing, damaged, or written by another version."""


class DataError(ModelError):
    """A file of texts and labels cannot be used as asked."""


class MissingExtraError(ModelError):
    """An optional library is needed for what was asked."""

    def __init__(self, what: str, extra: str, library: str) -> None:
        super().__init__(
            f"{what} needs {library}, which is not installed: pip install 'foreshock[{extra}]'"
        )
        self.extra = extra
        self.library = library
