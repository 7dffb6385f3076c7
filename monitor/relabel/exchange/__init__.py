"""Labels and items to be labelled, to other tools and back.

To add a format: a class with ``write`` and ``read`` (see `monitor.relabel.exchange.tasks.Format`) in a module
of its own, and one line in `FORMATS`; a contract test runs a round trip over every format.
"""

from __future__ import annotations

from collections.abc import Mapping

from monitor.relabel.exchange.argilla import Argilla
from monitor.relabel.exchange.label_studio import LabelStudio
from monitor.relabel.exchange.rows import Csv, Jsonl
from monitor.relabel.exchange.tasks import Format

#: By the names that the command line takes.
FORMATS: Mapping[str, Format] = {
    "jsonl": Jsonl(),
    "csv": Csv(),
    "label-studio": LabelStudio(),
    "argilla": Argilla(),
}
