"""A candidate that passed the gate takes the champion's place."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from monitor.classify import promoting
from monitor.classify.promoting import Chosen
from monitor.settings import ModelSettings
from monitor.store import Store, retrains
from monitor.store.retrains import RetrainRefused, State, Trial


def promote(
    store: Store, settings: ModelSettings, number: int, who: str, now: datetime, comment: str = ""
) -> Chosen:
    """Let the candidate of a training classify from now on; its trial ends.

    Raises
    ------
    RetrainRefused
        The gate did not let it pass, or it was compared with another champion than the one of now.
    BundleError
        The bundle is not sound any more.
    """
    from models.bundle import load_bundle

    with store.read() as connection:
        found = retrains.get(connection, number)
        champion = load_bundle(promoting.champion_folder(connection, settings))
    if found.state is not State.PASSED:
        raise RetrainRefused(
            f"training {number}: the gate did not let it pass ({found.state.value}"
            f"{f': {found.detail}' if found.detail else ''})"
        )
    against = (found.report or {}).get("champion")
    if against != champion.hash:
        raise RetrainRefused(
            f"training {number}: it was compared with another bundle than {champion.model_version}, which "
            f"classifies now; ask again with `foreshock retrain gate {number}`"
        )
    said = comment or f"training {number}, which passed the gate"
    chosen = promoting.promote(store, settings, Path(found.folder), who, now, said)
    if found.trial in (Trial.SHADOW, Trial.CANARY):
        with store.write() as connection:
            retrains.put_on_trial(connection, number, Trial.ENDED, 0.0, who, now, "promoted")
    return chosen
