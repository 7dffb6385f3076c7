"""Prints one line of JSON at the end; the exit status is 1 when a promise was broken."""

from __future__ import annotations

import argparse
import json
import sys

from monitor.cli.progress import progress_of
from tests.chaos.burst import burst
from tests.chaos.outage import recovery
from tests.chaos.run import chaos


def main() -> int:
    parser = argparse.ArgumentParser(prog="bash tests/run chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="How long faults go on.")
    parser.add_argument("--seed", type=int, default=1, help="The same seed: the same faults.")
    parser.add_argument("--rate", type=float, default=40.0, help="Articles a second.")
    parser.add_argument(
        "--outage",
        type=float,
        metavar="SECONDS",
        help="Instead: kill the database, then freeze the broker, so long; print how soon work goes on.",
    )
    parser.add_argument(
        "--burst",
        type=float,
        metavar="SECONDS",
        help="Instead: no faults, but ten times the usual news for so long; print memory, lag and the count.",
    )
    asked = parser.parse_args()
    if asked.outage is not None:
        print(json.dumps(recovery(asked.outage, asked.seed)))
        return 0
    if asked.burst is not None:
        with progress_of("seconds of burst") as watch:
            found = burst(
                asked.burst,
                asked.seed,
                watch=lambda passed: watch(round(passed), round(asked.burst)),
            )
        print(json.dumps(found.as_json()))
        return 0 if found.outcome.sound else 1
    with progress_of("seconds of chaos") as watch:
        outcome = chaos(
            asked.seconds,
            asked.seed,
            asked.rate,
            lambda passed: watch(round(passed), round(asked.seconds)),
        )
    print(json.dumps(outcome.as_json()))
    return 0 if outcome.sound else 1


if __name__ == "__main__":
    sys.exit(main())
