"""The two packages, byte for byte the same for the same sources, Python and zlib.

setuptools writes a wheel that way once ``SOURCE_DATE_EPOCH`` is set and modes do not depend on the umask.
Its source distribution bears the time of its making, in gzip's header and on generated files, and the names
of who made it: it is packed again. The wheel is then made from that, which shows that nothing is missing.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from deploy.release import sources


def build(out: Path, at: int) -> tuple[Path, Path]:
    """Write the source distribution and the wheel; return their paths.

    Parameters
    ----------
    out
        An existing folder.
    at
        The Unix time that all their files bear, in seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree, raw = Path(folder) / "foreshock", Path(folder) / "raw"
        sources.copy(tree, at)
        _uv_build("--sdist", tree, raw, at)
        made = next(raw.glob("*.tar.gz"))
        sdist = out / made.name
        sdist.write_bytes(packed_again(made.read_bytes(), at))
        _uv_build("--wheel", sdist, raw, at)
        made = next(raw.glob("*.whl"))
        wheel = out / made.name
        wheel.write_bytes(made.read_bytes())
    return sdist, wheel


def packed_again(archive: bytes, at: int) -> bytes:
    """Return a ``.tar.gz`` with its members sorted, of one time, of nobody, and of two modes."""
    packed = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as source,
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=at) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda member: member.name):
            plain = tarfile.TarInfo(member.name)
            plain.type, plain.size, plain.mtime = member.type, member.size, at
            plain.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            target.addfile(plain, source.extractfile(member) if member.isfile() else None)
    return packed.getvalue()


def _uv_build(kind: str, source: Path, out: Path, at: int) -> None:
    command = [
        *(sys.executable, "-m", "uv", "build", kind, "--quiet", "--no-create-gitignore"),
        *("--python", sys.executable),
        *("--build-constraints", str(sources.ROOT / "deploy" / "constraints.txt")),
        *("--out-dir", str(out), str(source)),
    ]
    env = os.environ | {"SOURCE_DATE_EPOCH": str(at)}
    subprocess.run(command, check=True, env=env, umask=0o022)
