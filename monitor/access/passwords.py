"""Passwords: argon2id hashes (RFC 9106, the library's low-memory profile), and one-time ones."""

from __future__ import annotations

import secrets
import string

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError

from monitor.errors import ConfigError

MIN_CHARS, MAX_CHARS = 12, 256
_HASHER = PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
_LETTERS = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))
_NOBODY: list[str] = []


def hashed(password: str, name: str) -> str:
    """Return the hash of a new password.

    Raises
    ------
    ConfigError
        It is too short, too long, or holds the name.
    """
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise ConfigError(f"a password has {MIN_CHARS} to {MAX_CHARS} characters")
    if name.casefold() in password.casefold():
        raise ConfigError("a password does not hold the name")
    return _HASHER.hash(password)


def is_right(password: str, stored: str | None) -> bool:
    """Check a password; where there is none, or no such person, in the same time, against nobody's."""
    if not stored:
        if not _NOBODY:
            _NOBODY.append(_HASHER.hash(secrets.token_urlsafe()))
        is_right(password, _NOBODY[0])
        return False
    try:
        return _HASHER.verify(stored, password[: MAX_CHARS + 1])
    except (VerificationError, InvalidHashError):
        return False


def one_time(name: str) -> str:
    """Return a password to be given to somebody: 20 letters and digits that are not mistaken (116 bits)."""
    while True:
        drawn = "".join(secrets.choice(_LETTERS) for _ in range(20))
        if name.casefold() not in drawn.casefold():  # a name of one letter often is
            return drawn
