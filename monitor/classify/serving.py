"""Which model classifies, and its exchange while news is classified.

Somebody promotes a bundle (`monitor.store.promotions`). Every classifying process sees it within seconds,
loads it beside the champion, which goes on serving, and examines it (`models.challenger`); if it passes, the
next batch is its. If not, the champion stays, and the log, a metric and ``foreshock models status`` say why.
"""

from __future__ import annotations

import logging
import math
import threading
from datetime import datetime, timedelta
from pathlib import Path

from models.challenger import REASONS, ChallengerRefused, challenge
from models.classifier import Classifier
from models.routing import Router
from monitor.clock import Clock
from monitor.domain import EPOCH
from monitor.metrics import Metrics, from_zero
from monitor.reload import LOOK_EVERY
from monitor.settings import ModelSettings
from monitor.store import Store, promotions
from monitor.store.promotions import Promotion, Serving

log = logging.getLogger(__name__)

BEAT_EVERY = timedelta(seconds=30)
SERVES = "serving"


class ServedModel:
    """Holds the model in use.

    A promotion outlives a restart, as long as the settings name the bundle that they named when it was made:
    who changes the setting afterwards means that.

    Parameters
    ----------
    router
        The bundles of the settings, loaded.
    holder
        Name of this process.
    live
        False in a replay: the model does not change, and promotions are of no account.
    """

    def __init__(
        self,
        settings: ModelSettings,
        router: Router,
        store: Store,
        holder: str,
        wall: Clock,
        metrics: Metrics,
        live: bool = True,
    ) -> None:
        self.settings = settings
        self.store = store
        self.holder = holder
        self.wall = wall
        self.metrics = metrics
        from_zero(metrics.swaps, [SERVES, *REASONS])
        self.live = live
        self.router = router
        self._configured = configured(settings)
        self._number = 0
        self._outcome, self._detail = SERVES, ""
        self._shown: set[str] = set()  # versions that a gauge has told of
        self._found: Classifier | None = None
        self._work: threading.Thread | None = None
        self._looked_at: datetime = EPOCH
        self._beat_at: datetime = EPOCH
        if live and (wanted := self._wanted()) is not None:
            self._examine(wanted)
        self.refresh()

    def refresh(self) -> Router:
        """Return the bundles to classify with. Cheap: at most one look every few seconds."""
        if not self.live:
            return self.router
        if self._work is not None and not self._work.is_alive():
            self._work = None
            self._beat_at = EPOCH  # say at once what became of it
        if self._work is None:
            if self._found is not None:
                self.router, self._found = self.router.with_main(self._found), None
            now = self.wall.now()
            if now - self._looked_at >= LOOK_EVERY:
                self._looked_at = now
                if (wanted := self._wanted()) is not None:
                    self._work = threading.Thread(
                        target=self._examine, args=(wanted,), name="challenger", daemon=True
                    )
                    self._work.start()
            if self._work is None and now - self._beat_at >= BEAT_EVERY:
                self._beat_at = now
                self._report(now)
        return self.router

    def _wanted(self) -> Promotion | None:
        """Return the last promotion, where it has not been dealt with."""
        with self.store.read() as connection:
            last = next(iter(promotions.latest(connection)), None)
        if last is None or last.number <= self._number or last.configured != self._configured:
            return None
        return last

    def _examine(self, wanted: Promotion) -> None:
        """Load and examine a bundle; in a thread of its own while another one serves."""
        self._number = wanted.number
        champion = self.router.main
        if wanted.hash == champion.bundle.hash:
            self._outcome, self._detail = SERVES, ""
            return
        try:
            self._found = challenge(
                Path(wanted.folder),
                wanted.hash,
                champion,
                self.settings.engine,
                self.settings.threads,
                math.inf if wanted.rollback else self.settings.slowest,
            )
        except ChallengerRefused as refused:
            self._outcome, self._detail = refused.reason, str(refused)
            log.error(
                "promotion %d of %s refused (%s), %s goes on: %s",
                wanted.number,
                wanted.model_version,
                refused.reason,
                champion.bundle.model_version,
                refused,
            )
        else:
            self._outcome, self._detail = SERVES, ""
            log.info(
                "promotion %d: %s takes over from %s",
                wanted.number,
                wanted.model_version,
                champion.bundle.model_version,
            )
        self.metrics.swaps.labels(self._outcome).inc()

    def _report(self, now: datetime) -> None:
        bundle = self.router.main.bundle
        self.metrics.promotion.set(self._number if self._outcome == SERVES else 0)
        self._shown |= {bundle.model_version}
        for version in self._shown:
            self.metrics.model.labels(version).set(int(version == bundle.model_version))
        state = Serving(
            *(self.holder, self._number, self._outcome, self._detail),
            *(bundle.hash, bundle.model_version, now),
        )
        with self.store.write() as connection:
            promotions.report(connection, state)


def configured(settings: ModelSettings) -> str:
    """Return what the settings name as the main bundle; empty for the shipped one."""
    return "" if settings.bundle is None else str(settings.bundle.absolute())
