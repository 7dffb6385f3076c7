"""What serving may load, and that nothing of it talks to anyone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SERVING = """
import sys
from importlib.machinery import PathFinder
ABSENT = {"torch", "transformers", "peft", "nncf", "sklearn", "matplotlib"}
find = PathFinder.find_spec
PathFinder.find_spec = classmethod(
    lambda cls, name, *rest: None if name.split(".")[0] in ABSENT else find(name, *rest)
)
import models.labels, models.text
assert "numpy" not in sys.modules, "labels and text are standard library only"
import models.evaluate, models.calibrate, models.report
from models.classifier import Classifier
assert "openvino" not in sys.modules, "no work at import"
found = Classifier.load()
print(found.engine_reason)
assert found.predict(["Profit falls"])[0].sentiment
"""

SILENT = """
import pathlib, socket, sys
home = pathlib.Path.home() / "intel"
home.mkdir()
(home / "openvino_telemetry").write_text("1")  # the person once said yes to another tool
calls = []
def refuse(*arguments, **_):
    calls.append(arguments)
    raise OSError("no network in this test")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
if {early}:
    import openvino_telemetry
from models.classifier import Classifier
Classifier.load(engine="openvino").predict(["Profit falls"])
from models.engines.runtime import load_openvino
openvino = load_openvino()
from openvino.tools.ovc.telemetry_utils import send_conversion_result
send_conversion_result("success")
import time
time.sleep(1)
assert not calls, calls
# Whoever imports openvino_telemetry without us starts nothing: openvino itself does, at import.
assert sorted(p.name for p in home.iterdir()) == ["openvino_telemetry"], "it made a client id"
"""


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    import os

    environment = os.environ | {"HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, env=environment
    )


def test_serving_needs_no_training_library(tmp_path: Path) -> None:
    done = run(SERVING, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "because torch is not installed" in done.stdout


def test_openvino_reports_nothing_even_where_it_may(tmp_path: Path) -> None:
    for number, early in enumerate(("False", "True")):
        home = tmp_path / str(number)
        home.mkdir()
        done = run(SILENT.replace("{early}", early), home)
        assert done.returncode == 0, done.stderr
