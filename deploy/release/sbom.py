"""The bill of materials of the base install, CycloneDX 1.6 in JSON: what is pinned, installed and read back.

Written by ``cyclonedx-py`` (https://cyclonedx-bom-tool.readthedocs.io), which runs in an environment of its
own: what it needs is no part of what it counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.release.sources import ROOT

WRITER = "cyclonedx-bom==7.5.0"


def write(target: Path) -> None:
    """Install the base dependencies as pinned into a new environment, and write what is in it."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        pins = ["--constraints", str(ROOT / "deploy" / "constraints.txt")]
        wanted = ["--requirements", str(ROOT / "pyproject.toml")]
        _uv("venv", "--python", sys.executable, folder)
        _uv("pip", "install", "--python", str(python), *pins, *wanted)
        describe(python, target)


def describe(python: Path, target: Path) -> None:
    """Write what is installed where a Python is, with Foreshock as the whole that it is part of."""
    _uv(
        *("tool", "run", "--from", WRITER, "cyclonedx-py", "environment"),
        *("--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"),
        *("--output-reproducible", "--spec-version", "1.6", "--output-format", "JSON"),
        *("--output-file", str(target), str(python)),
    )


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", "--quiet", *arguments], check=True)
