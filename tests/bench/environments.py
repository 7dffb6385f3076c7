"""Environments of their own for peers, under the cache folder (``XDG_CACHE_HOME``): never in ours."""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "foreshock-bench"


def environment(requirement: str, *, seeing_ours: bool = False) -> Path:
    """Return the Python of an environment that has a package, made where there is none.

    Parameters
    ----------
    seeing_ours
        Our packages are there too, behind its own: where both have one, the peer gets what it asked for.

    Raises
    ------
    CalledProcessError
        It could not be installed; ``stderr`` says why.
    """
    folder = CACHE / requirement
    python = folder / "bin" / "python"
    if (folder / "whole").exists():
        return python
    venv.create(folder, clear=True, with_pip=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
    command = [str(python), *install]
    subprocess.run(command, check=True, capture_output=True, text=True)
    if seeing_ours:
        ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
        own = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.strip()
        (Path(own) / "foreshock.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / "whole").touch()
    return python
