"""What a release is: the same bytes each time, all that the programs need, and nothing of the checkout."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.release import sbom, sources
from tests.integration.test_demo import NOT_YET
from tests.support.program import cannot

ROOT = Path(__file__).parents[2]
PACKAGES = ("dashboards/", "models/", "monitor/")
UV = [sys.executable, "-m", "uv"]

pytestmark = pytest.mark.timeout(600)  # installs, builds, and the demo: a minute or two alone


@pytest.fixture(scope="module", autouse=True)
def uv() -> None:
    """A CI without uv fails; elsewhere these tests are skipped."""
    if importlib.util.find_spec("uv") is None:
        cannot("no uv beside this Python: `python -m pip install uv`")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two builds: in other folders, at other times, with other umasks and time zones."""
    outs = []
    for umask, zone in ((0o077, "Asia/Shanghai"), (0o022, "America/New_York")):
        out, work = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("work")
        env = os.environ | {"TMPDIR": str(work), "TZ": zone, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "deploy.release", str(out), "--no-sbom"]
        done = subprocess.run(
            command, cwd=work, env=env, umask=umask, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        outs.append(out)
        time.sleep(2.1)  # zip files tell times to two seconds
    return outs[0], outs[1]


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The ``bin`` folder of an environment with the wheel and what it asks for, as pinned."""
    folder = tmp_path_factory.mktemp("venv")
    wheel = next(built[0].glob("*.whl"))
    pins = ["--constraints", str(ROOT / "deploy" / "constraints.txt")]
    python = ["--python", str(folder / "bin" / "python")]
    subprocess.run([*UV, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    subprocess.run([*UV, "pip", "install", "-q", *python, *pins, str(wheel)], check=True)
    yield folder / "bin"


def alone(folder: Path) -> dict[str, str]:
    """Return an environment that knows nothing of the checkout."""
    left_out = ("PYTHONPATH", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST")
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    return kept | {"PATH": "/usr/bin:/bin", "HOME": str(folder)}


def test_two_builds_are_the_same_bytes(built: tuple[Path, Path]) -> None:
    first, second = built
    names = sorted(path.name for path in first.iterdir())
    assert len(names) == 3 and sorted(path.name for path in second.iterdir()) == names
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_checksums_are_those_of_the_files(built: tuple[Path, Path]) -> None:
    done = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=built[0], capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(b": OK") == 2


def test_the_wheel_has_the_packages_whole_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(next(built[0].glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert {info.date_time[0] for info in wheel.infolist()} == {
            time.gmtime(sources.made_at()).tm_year
        }
    assert names == {name for name in sources.files() if name.startswith(PACKAGES)}


def test_the_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    env = alone(tmp_path)
    where = [str(installed / "python"), "-c", "import monitor; print(monitor.__file__)"]
    place = subprocess.run(where, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert Path(place.stdout.strip()).is_relative_to(installed.parent)
    command = [str(installed / "foreshock"), "demo", "--exit", "--json", "--duration", "30"]
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    assert 8 <= len(told) <= 25
    assert all(alert["evidence"] and alert["publishers"] >= 1 for alert in told)
    assert {"story", "surge"} <= {alert["kind"] for alert in told}
    events = yaml.safe_load((ROOT / "monitor/demo/expected.yaml").read_text("utf-8"))["must"]
    must = {
        event["company"] for event in events if (event["company"], event["event"]) not in NOT_YET
    }
    assert must <= {alert["title"].split(":")[0] for alert in told}
    assert list(tmp_path.glob("*.db")) == []  # the demo's store was thrown away


@pytest.mark.slow  # fetches the writer of the bill
def test_the_bill_of_materials_names_what_is_installed(installed: Path, tmp_path: Path) -> None:
    target = tmp_path / "foreshock.cdx.json"
    sbom.describe(installed / "python", target)
    bill = json.loads(target.read_text("utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert bill["metadata"]["component"]["version"] == project["version"]
    found = {part["name"].lower().replace("_", "-") for part in bill["components"]}
    wanted = {line.split(">")[0].split("[")[0].lower() for line in project["dependencies"]}
    assert wanted <= found
    assert not found & {"torch", "pytest", "cyclonedx-bom", "setuptools", "uv"}
