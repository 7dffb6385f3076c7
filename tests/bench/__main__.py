"""Every benchmark that fits one sitting, in one run: ``bash tests/run bench [NAME ...] [--out FILE]``.

Each runs in a process of its own, one after the other, so that none warms or crowds another; what it measured
is printed as one table and written as JSON, with the machine it was measured on. The long ones (memory, soak,
active, load, board), the one that needs a broker (streaming) and the one that needs a GPU are run alone:
``python -m tests.bench.NAME --help``.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

BENCHES = (
    *("classify", "cost", "aggregate", "codec", "resolver", "growth"),
    *("latency", "idle", "scale"),
)
NAMED = ("openvino", "msgspec", "onnxruntime", "torch", "transformers", "sqlalchemy", "pandas")


def main() -> int:
    parser = argparse.ArgumentParser(prog="bash tests/run bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="JSON to write")
    given = parser.parse_args()
    if unknown := set(given.names) - set(BENCHES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    found: dict[str, Any] = {"machine": machine()}
    failed = []
    for name in given.names or BENCHES:
        print(f"== {name}", file=sys.stderr)
        began_s = time.monotonic()
        figures = measured(name)
        if figures is None:
            failed.append(name)
            continue
        found[name] = {**figures, "took_s": round(time.monotonic() - began_s, 1)}
        given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    show(found)
    for name in failed:
        print(f"FAILED: {name}: see above", file=sys.stderr)
    print(f"written: {given.out}")
    return int(bool(failed))


def measured(name: str) -> dict[str, Any] | None:
    """Run one; ``None`` where it failed."""
    command = [sys.executable, "-m", f"tests.bench.{name}", "--json"]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return None
    figures: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return figures


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, cores, versions."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    lines = [line.partition(":") for line in text.splitlines()]
    found = {key.strip(): value.strip() for key, _, value in lines}
    flags = set(found.get("flags", "").split())
    wide = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
    return {
        "processor": found.get("model name", platform.processor()),
        "cores": text.count("processor\t"),
        "wide": [flag for flag in wide if flag in flags],
        "python": platform.python_version(),
        **{name: version(name) for name in NAMED},
    }


def show(found: Mapping[str, Any]) -> None:
    """Print every figure as one table."""
    table = Table(title="Benchmarks")
    for column in ("", "figure"):
        table.add_column(column)
    table.add_column("value", justify="right")
    for name, figures in found.items():
        for number, (path, value) in enumerate(_flat(figures)):
            shown = f"{value:,.4g}" if isinstance(value, float) else str(value)
            table.add_row("" if number else name, path, shown)
        table.add_section()
    Console(width=120).print(table)


def _flat(figures: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        path = f"{above} / {name}" if above else name
        if isinstance(value, Mapping):
            yield from _flat(value, path)
        else:
            yield path, value


if __name__ == "__main__":
    raise SystemExit(main())
