"""The source tree of a release: what git knows, with the time and the modes that every machine gives it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def made_at(root: Path = ROOT) -> int:
    """Return the Unix time that all files of a release bear, in seconds.

    ``SOURCE_DATE_EPOCH`` where it is set (https://reproducible-builds.org/specs/source-date-epoch/),
    else the time of the last commit.
    """
    stated = os.environ.get("SOURCE_DATE_EPOCH")
    return int(stated) if stated else int(_git(root, "log", "-1", "--format=%ct"))


def changed(root: Path = ROOT) -> list[str]:
    """Return what differs from the last commit, as git says it: a release has nothing here."""
    return _git(root, "status", "--porcelain").splitlines()


def files(root: Path = ROOT) -> list[str]:
    """Return the path of every file of the working tree that git does not ignore, sorted."""
    known = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return sorted({name for name in known if name and (root / name).is_file()})


def copy(target: Path, at: int, root: Path = ROOT) -> None:
    """Copy the working tree without what git ignores: an old ``build`` or ``egg-info`` never gets in.

    Parameters
    ----------
    target
        A folder that is not there yet.
    at
        The Unix time that each file gets, in seconds.
    root
        The working tree.
    """
    for name in files(root):
        source, copied = root / name, target / name
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copied)
        copied.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
        os.utime(copied, (at, at))


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            f"git {arguments[0]} in {root}: {done.stderr.strip()}\n"
            "A release is built from a git checkout: clone the repository and build there."
        )
    return done.stdout
