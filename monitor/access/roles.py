"""Roles, each of which may all that the one before may, and the scopes of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from monitor.errors import ForeshockError


class Role(StrEnum):
    """What somebody may: look; also act on alerts; also look after people and the audit."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"

    def may(self, least: Role) -> bool:
        """Say whether this role is ``least`` or more.

        Examples
        --------
        >>> Role.ADMIN.may(Role.ANALYST), Role.VIEWER.may(Role.ANALYST)
        (True, False)
        """
        order = tuple(Role)
        return order.index(self) >= order.index(least)


SCOPES: Mapping[str, Role] = {"read": Role.VIEWER, "act": Role.ANALYST, "admin": Role.ADMIN}
"""What a token may be given, and the role that its person needs for that."""


class Forbidden(ForeshockError):
    """Somebody may not do that; the message says what it takes."""
