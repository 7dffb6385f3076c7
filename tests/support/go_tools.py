"""Programs that are built from the Go module proxy: helm, kubeconform, and the reader of compose files.

``bash tests/run`` builds them beside the other tests (``python -m tests.support.go_tools``); they stay in
``${FORESHOCK_CACHE:-~/.cache/foreshock}/go``. Without Go tests skip, except in CI, where that is a failure.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.program import cannot

# Program, what it is built from, and the name that `go install` gives it.
TOOLS = {
    "compose": ("github.com/compose-spec/compose-go/v2/cmd@v2.16.2", "cmd"),
    "kubeconform": ("github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0", "kubeconform"),
    "helm": ("helm.sh/helm/v3/cmd/helm@v3.22.0", "helm"),
}
USUAL_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "foreshock"
CACHE = Path(os.environ.get("FORESHOCK_CACHE", USUAL_CACHE)) / "go"


def go_tool(name: str) -> str:
    """Return the path of a program, built first where it is not there; skip the test where it cannot be."""
    package, _ = TOOLS[name]
    path = CACHE / f"{name}-{package.rpartition('@')[2]}"
    if path.exists():
        return str(path)
    go = shutil.which("go")
    if go is None:
        cannot(f"no go on the PATH to build {name} with ({package})")
    if "CI" not in os.environ:
        cannot(f"{name} is not built: run `python -m tests.support.go_tools` (minutes)")
    build(go, name, path)
    return str(path)


def build(go: str, name: str, path: Path) -> None:
    """Build a program into the cache; who comes second waits for the first."""
    package, made = TOOLS[name]
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return
        folder = CACHE / f"{name}.bin"
        environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-p=1", "CGO_ENABLED": "0"}
        subprocess.run([go, "install", "-ldflags=-s -w", package], env=environment, check=True)
        (folder / made).rename(path)


def main() -> int:
    """Build all of them."""
    go = shutil.which("go")
    if go is None:
        print("no go on the PATH: chart and compose file are not checked", file=sys.stderr)
        return 0
    for name, (package, _) in TOOLS.items():
        path = CACHE / f"{name}-{package.rpartition('@')[2]}"
        if not path.exists():
            build(go, name, path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
