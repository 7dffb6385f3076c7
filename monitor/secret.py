"""Secrets: given as text or as ``file:PATH``; never printed."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from monitor.errors import ConfigError


def secret_text(value: SecretStr | None) -> str | None:
    """Return a secret's text, read from its file when it says ``file:PATH``.

    Raises
    ------
    ConfigError
        The file cannot be read.

    Examples
    --------
    >>> secret_text(SecretStr("open sesame"))
    'open sesame'
    """
    if value is None:
        return None
    text = value.get_secret_value()
    if not text.startswith("file:"):
        return text
    path = Path(text.removeprefix("file:"))
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"secret file {path}: {error.strerror}") from None
