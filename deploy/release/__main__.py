"""``python -m deploy.release [FOLDER]``: wheel, source distribution, bill of materials, checksums.

Run twice on the same commit, it writes the same bytes twice. What is not committed gets in, and is told.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from deploy.release import packages, sbom, sources


def main() -> int:
    """Build into a folder that is empty or not there, and print what was written."""
    parser = argparse.ArgumentParser(prog="python -m deploy.release", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=sources.ROOT / "dist")
    parser.add_argument("--no-sbom", action="store_true", help="leave out the bill of materials")
    given = parser.parse_args()
    out: Path = given.folder
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        parser.error(f"{out} is not empty: name a new folder, or empty it")
    if found := sources.changed():
        print(f"not a release: {len(found)} paths differ from the last commit", file=sys.stderr)
    sdist, wheel = packages.build(out, sources.made_at())
    written = [sdist, wheel]
    if not given.no_sbom:
        written.append(out / f"{wheel.name.split('-py3')[0]}.cdx.json")
        sbom.write(written[-1])
    sums = "".join(f"{_sha256(path)}  {path.name}\n" for path in written)
    (out / "SHA256SUMS").write_text(sums, "utf-8")
    print(sums, end="")
    return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
