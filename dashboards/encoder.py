"""The model of this web process: one for the API and the pages, loaded when something first asks it."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dashboards import desk
from models.errors import ModelError
from monitor.api.model import Model
from monitor.errors import ForeshockError
from monitor.search.vectors import Vectors

if TYPE_CHECKING:
    from models.routing import Router

log = logging.getLogger(__name__)

TRY_AGAIN_S = 60.0  # after it could not be loaded


@dataclass(slots=True)
class _Held:
    shown: desk.Desk
    model: Model
    vectors: dict[str, Vectors] = field(
        default_factory=dict
    )  # by database, of a model that is loaded
    loading: dict[str, threading.Thread] = field(default_factory=dict)
    failed_s: float = -TRY_AGAIN_S  # monotonic


_held: _Held | None = None
_making = threading.Lock()


def model() -> Model:
    """Return the model of the desk that is shown; nothing is loaded yet."""
    return _holder().model


def vectors(url: str, *, wait: bool = False) -> Vectors | None:
    """Return what embeds titles; ``None`` while the model is being loaded, or where it cannot be.

    Loading begins with the first call; no page stands still for it unless it has to ``wait``.
    """
    held = _holder()
    with _making:
        if url in held.vectors:
            return held.vectors[url]
        thread = held.loading.get(url)
        if thread is None or not thread.is_alive():
            if time.monotonic() - held.failed_s < TRY_AGAIN_S:
                return None
            thread = threading.Thread(target=_load, args=(held, url), name="encoder", daemon=True)
            held.loading[url] = thread
            thread.start()
    if wait:
        thread.join()
    return held.vectors.get(url)


def _load(held: _Held, url: str) -> None:
    def router() -> Router:
        with desk.opened(url) as store:
            return held.model.router(store)

    try:
        router()
    except (ModelError, ForeshockError, OSError) as error:
        log.warning("the pages do without the model: %s", error)
        held.failed_s = time.monotonic()
    else:
        held.vectors[url] = Vectors(router)


def _holder() -> _Held:
    global _held
    shown = desk.current()
    with _making:
        if _held is None or _held.shown is not shown:
            _held = _Held(shown, Model(shown.settings))
        return _held
