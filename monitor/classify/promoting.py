"""Which bundle is to classify from now on: chosen by a person or the gate, and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from models import registry
from models.bundle import Bundle, load_bundle, shipped_bundle
from models.errors import BundleError
from monitor.classify.serving import configured
from monitor.errors import ConfigError
from monitor.settings import ModelSettings
from monitor.store import Connection, Store, promotions
from monitor.store.promotions import Promotion

PAST = 1_000  # promotions that are looked back at


@dataclass(frozen=True, slots=True)
class Chosen:
    """A promotion that was written, and its bundle."""

    number: int
    bundle: Bundle


def champion_folder(connection: Connection, settings: ModelSettings) -> Path:
    """Return the folder of the bundle that is to classify: the last promoted, else that of the settings."""
    last = next(iter(promotions.latest(connection)), None)
    if last is not None and last.configured == configured(settings):
        return Path(last.folder)
    return settings.bundle or shipped_bundle()


def promote(
    store: Store,
    settings: ModelSettings,
    folder: Path,
    who: str,
    now: datetime,
    comment: str = "",
    rollback: bool = False,
) -> Chosen:
    """Let a bundle classify from now on; every process examines it before it does.

    Raises
    ------
    BundleError
        The bundle is not sound.
    """
    folder = folder.absolute()
    if problems := registry.verify(folder):
        raise BundleError(f"{folder}: {'; '.join(problems)}")
    bundle = load_bundle(folder)
    with store.write() as connection:
        number = promotions.promote(
            connection,
            str(folder),
            bundle.hash,
            bundle.model_version,
            configured(settings),
            who,
            now,
            comment,
            rollback,
        )
    return Chosen(number, bundle)


def roll_back(
    store: Store, settings: ModelSettings, who: str, now: datetime, comment: str = ""
) -> Chosen:
    """Let the bundle before the last promotion classify again.

    Raises
    ------
    ConfigError
        Nothing was promoted, or all of it was taken back.
    """
    with store.read() as connection:
        past = promotions.latest(connection, PAST)
    here = [each for each in reversed(past) if each.configured == configured(settings)]
    stand = standing(here)
    if not stand:
        raise ConfigError("nothing to go back to: no bundle has been promoted")
    before = Path(stand[-2]) if len(stand) > 1 else settings.bundle or shipped_bundle()
    return promote(store, settings, before, who, now, comment, rollback=True)


def standing(past: Sequence[Promotion]) -> list[str]:
    """Return the folders that stand one upon the other, the one in use last.

    Parameters
    ----------
    past
        Oldest first.
    """
    stand: list[str] = []
    for each in past:
        if each.rollback:
            stand = stand[:-1]
        elif not stand or stand[-1] != each.folder:
            stand.append(each.folder)
    return stand
