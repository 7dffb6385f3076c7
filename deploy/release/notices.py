"""``python -m deploy.release.notices``: write THIRD_PARTY_NOTICES.md from what the packages declare.

The base install and all extras that are no developer's tools are installed, as pinned, into a new
environment, and their metadata is read there. A test fails when the file does not fit the pins.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.release.sources import ROOT

FILE = ROOT / "THIRD_PARTY_NOTICES.md"
BASE = "base"
LEFT_OUT = "dev"
LONGEST = 80  # of a field that names a licence; longer ones are its text
# Where the metadata says nothing: what the package's page or the file in it says.
STATED = {"cuda-toolkit": "LicenseRef-NVIDIA-Proprietary"}
HEAD = """# Third-party notices

Written by `python -m deploy.release.notices`. Foreshock itself is under the Apache License 2.0
([LICENSE](LICENSE)).

## In the package

| what | where | from | licence |
|---|---|---|---|
"""
TABLE = """
## Installed beside it

Nothing of these is in Foreshock's wheel: pip installs them from their authors. The versions are those of
[`deploy/constraints.txt`](deploy/constraints.txt), the licences as each package declares them; read on Linux
on x86-64 with Python {python}. `for` says which install brings it: {base} is `pip install foreshock`, any
other word an extra.

| package | version | licence | for |
|---|---|---|---|
"""


def requirements() -> Mapping[str, list[Requirement]]:
    """Return what the base install and each extra ask for by name, without the developer's tools."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    groups = {BASE: project["dependencies"]} | {
        name: found for name, found in extras.items() if name != LEFT_OUT
    }
    return {name: [Requirement(text) for text in found] for name, found in groups.items()}


def reached(
    wanted: Iterable[Requirement], installed: Mapping[str, Distribution]
) -> Iterator[Distribution]:
    """Yield every distribution that requirements lead to, each once."""
    todo = [(requirement, "") for requirement in wanted]
    seen: set[tuple[str, str]] = set()
    given: set[str] = set()
    while todo:
        requirement, extra = todo.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        for inner in ("", *requirement.extras):
            if (name, inner) in seen or name not in installed:
                continue
            seen.add((name, inner))
            todo += [(Requirement(text), inner) for text in installed[name].requires or ()]
            if name not in given:
                given.add(name)
                yield installed[name]


def licence(metadata: Any) -> str:
    """Return the licence that a package's metadata declares: an expression, a short field, classifiers."""
    if expression := metadata.get("License-Expression"):
        return str(expression)
    field = (metadata.get("License") or "").strip()
    if field and len(field) <= LONGEST and "\n" not in field:
        return str(field)
    kinds = [text for text in metadata.get_all("Classifier") or () if text.startswith("License")]
    if kinds:
        return ", ".join(text.rsplit(" :: ", 1)[-1] for text in kinds)
    if re.search(r"Apache License\s+Version 2\.0", field):
        return "Apache-2.0"
    return STATED.get(str(canonicalize_name(metadata["Name"])), "")


def by_name(found: Iterable[Distribution]) -> dict[str, Distribution]:
    """Return distributions by their canonical names."""
    return {str(canonicalize_name(each.metadata["Name"])): each for each in found}


def notices(installed: Mapping[str, Distribution]) -> str:
    """Return the whole file, from an environment with the base install and all extras."""
    groups: dict[str, list[str]] = {}
    for group, wanted in requirements().items():
        for each in reached(wanted, installed):
            groups.setdefault(str(canonicalize_name(each.metadata["Name"])), []).append(group)
    lines = []
    for name in sorted(groups):
        metadata = installed[name].metadata
        shown = [BASE] if BASE in groups[name] else groups[name]
        lines.append(
            f"| {name} | {installed[name].version} | {licence(metadata)} | {', '.join(shown)} |"
        )
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    inside = "".join(f"| {' | '.join(row)} |\n" for row in _in_the_package())
    return HEAD + inside + TABLE.format(python=python, base=BASE) + "\n".join(lines) + "\n"


def _in_the_package() -> Iterator[tuple[str, str, str, str]]:
    """Yield the base model and the training data of the shipped bundle, as the bundle names them."""
    folder = "models/bundles/foreshock-en"
    bundle = json.loads((ROOT / folder / "bundle.json").read_text("utf-8"))
    base = (
        "[BAAI/bge-small-en-v1.5](https://huggingface.co/BAAI/bge-small-en-v1.5), trained further"
    )
    yield "weights, tokenizer", f"`{folder}`", base, "MIT"
    for licences in sorted({(each["name"], each["licence"]) for each in bundle["data"]}):
        yield "training data, not included", "-", licences[0], licences[1]


def main() -> int:
    """Install, read, write."""
    extras = ",".join(name for name in requirements() if name != BASE)
    uv = [sys.executable, "-m", "uv", "--quiet"]
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        pins = ["--constraints", str(ROOT / "deploy" / "constraints.txt")]
        subprocess.run([*uv, "venv", "--python", sys.executable, folder], check=True)
        wanted = [*uv, "pip", "install", "--python", str(python), *pins, f"{ROOT}[{extras}]"]
        subprocess.run(wanted, check=True)
        packages = next(Path(folder).glob("lib/python*/site-packages"))
        FILE.write_text(notices(by_name(distributions(path=[str(packages)]))), "utf-8")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
