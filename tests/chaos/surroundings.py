"""What a fault needs beside the servers: a disk that can be filled, and a clock that can be set.

Both need what not every machine gives (a mount; libfaketime). Without them their faults are left out, and in
CI that is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

DISK_MIB = 768
LIBRARIES = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",  # Debian
    "/usr/lib*/faketime/libfaketimeMT.so.1",
)


class Disk:
    """A file system of its own, in memory: full when told to be."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._ballast = folder / "ballast"
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=755", "tmpfs", str(folder)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        self.mounted = done.returncode == 0
        if not self.mounted and os.environ.get("CI"):
            raise RuntimeError(f"no disk to fill: {done.stderr.strip()}")

    def fill(self) -> None:
        """Leave no byte free; what frees itself meanwhile is taken by whoever comes first."""
        with self._ballast.open("wb") as ballast:
            while free := shutil.disk_usage(self.folder).free:
                with suppress(OSError):
                    os.posix_fallocate(ballast.fileno(), ballast.tell(), free)
                ballast.seek(0, os.SEEK_END)

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def remove(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=False)


class ProcessClock:
    """The wall clock that one process sees: right, until it is set."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.library = find_faketime()
        self.right()

    def environment(self) -> dict[str, str]:
        """Return what a process needs in its environment, to see this clock."""
        if self.library is None:
            return {}
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            # As where a real clock is set: the steady clock goes on, and files keep their times.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, ahead_s: int) -> None:
        """Let it be so many seconds ahead."""
        self._file.write_text(f"{ahead_s:+d}\n")

    def right(self) -> None:
        self.set(0)

    @staticmethod
    def forget(pid: int) -> None:
        """Take away what libfaketime leaves behind of a process that was killed."""
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            Path("/dev/shm", name).unlink(missing_ok=True)


def find_faketime() -> Path | None:
    """Return where libfaketime is (Debian: faketime), ``None`` where it is not; in CI that is an error."""
    for pattern in LIBRARIES:
        for path in Path("/").glob(pattern.lstrip("/")):
            return path
    if os.environ.get("CI"):
        raise RuntimeError("no libfaketime: install it (Debian: faketime)")
    return None
