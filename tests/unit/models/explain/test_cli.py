"""``explain`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from monitor.cli.explain import COMMANDS

app = typer.Typer()
for command in COMMANDS:
    app.command()(command)


@app.callback()
def root() -> None:
    """So that ``explain`` stays a command of its own name."""


TEXT = "Brightwater Bank raises quarterly dividend"


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(
        app, ["explain", "--engine", "openvino", "--threads", "1", *map(str, arguments)]
    )
    return done.exit_code, done.stdout, done.stderr


def test_json_and_page(tmp_path: Path) -> None:
    page = tmp_path / "why.html"
    code, out, _ = run(TEXT, "--head", "topic", "--json", "--html", page)
    found = json.loads(out)
    assert code == 0
    assert found["label"] == "Dividend"
    assert found["method"] == "occlusion"
    assert found["completeness_gap"] is None
    best = max(found["words"], key=lambda word: word["attribution"])
    assert TEXT[best["start"] : best["end"]] == best["word"] == "dividend"
    assert "dividend</span>" in page.read_text()


def test_on_a_terminal() -> None:
    code, out, _ = run(TEXT, "--head", "topic", "--label", "Earnings")
    assert code == 0
    assert out.startswith(TEXT)
    assert "topic: Earnings" in out
    assert "attribution" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--head", "mood"], "it has 'topic', 'sentiment'"),
        (["--head", "topic", "--label", "Fire"], "has no label 'Fire'"),
        (["--head", "topic", "--model", "/nowhere"], "name a bundle's folder"),
    ],
)
def test_it_tells_what_to_change(options: list[str], said: str) -> None:
    code, out, error = run(TEXT, *options)
    assert code == 2
    assert out == ""
    assert said in error
