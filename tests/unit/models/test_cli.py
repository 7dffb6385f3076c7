"""``evaluate`` and ``classify`` from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from models.labels import SENTIMENTS
from monitor.cli.model import COMMANDS

app = typer.Typer()
for command in COMMANDS:
    app.command()(command)

ROWS = [
    ("test", "negative", "Brightwater Bank cuts dividend after heavy loss"),
    ("test", "positive", "Acme beats forecasts, shares surge"),
    ("test", "neutral", "Orion to hold annual meeting in May"),
    ("train", "positive", "Acme profit jumps"),
]


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "moods.jsonl"
    path.write_text(
        "".join(json.dumps({"split": s, "mood": m, "title": t}) + "\n" for s, m, t in ROWS)
    )
    return path


def evaluate(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["evaluate", "--engine", "openvino", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_evaluate_prints_every_figure(labelled: Path) -> None:
    code, out, _ = evaluate(
        labelled, "--task", "sentiment", "--text", "title", "--label", "mood", "--split", "test"
    )
    assert code == 0
    for word in ("accuracy", "macro_f1", "weighted_f1", "ece", "precision", "support", *SENTIMENTS):
        assert word in out
    assert "n            3" in out


def test_evaluate_as_json(labelled: Path) -> None:
    code, out, _ = evaluate(
        labelled, "--task", "sentiment", "--text", "title", "--label", "mood", "--json"
    )
    found = json.loads(out)
    assert code == 0
    assert found["n"] == 4
    assert found["split"] is None
    assert set(found["classes"]) == set(SENTIMENTS)
    assert sum(map(sum, found["confusion"]["rows_are_truth"])) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--text", "headline", "--label", "mood"],
            "no column 'headline'; its columns are 'split', ",
        ),
        (["--text", "title", "--label", "mood", "--split", "dev"], "no rows of split 'dev'"),
        (["--text", "title", "--label", "title"], "holds labels this head does not have"),
        (["--text", "title", "--label", "mood", "--model", "/nowhere"], "name a bundle's folder"),
    ],
)
def test_evaluate_tells_what_to_change(labelled: Path, options: list[str], said: str) -> None:
    code, out, error = evaluate(labelled, "--task", "sentiment", *options)
    assert code == 2
    assert out == ""
    assert said in error
    assert error.count("\n") == 1


def classify(text: bytes, *arguments: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "classify", *arguments],
        input=text,
        capture_output=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


MAIN = """
import typer
from monitor.cli.model import COMMANDS
app = typer.Typer()
for command in COMMANDS:
    app.command()(command)
app()
"""


def test_classify_answers_every_line_in_order() -> None:
    lines = ["Acme profit jumps 20%", "", "央行下调存款准备金率", "torn \ufffd byte"] * 150
    text = "\n".join(lines).encode().replace("\ufffd".encode(), b"\xff")
    found = classify(text)
    assert [record["text"] for record in found] == lines
    assert list(found[0]) == [
        "text", "language", "topic", "probability", "sentiment", "score", "events", "unsure", "model",
    ]  # fmt: skip
    assert found[0]["topic"] is not None
    assert found[1]["topic"] is None
    assert found[2] == found[2] | {"language": "zh", "topic": None, "score": None}
    assert found[0] == found[4]


def test_classify_answers_a_slow_pipe_at_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "classify", "--language", "en"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for text in ("Oil falls", "Oil rises"):
            process.stdin.write(f"{text}\n".encode())
            process.stdin.flush()
            # Would block for ever if the answer waited for more input: the test's timeout ends it.
            assert json.loads(process.stdout.readline())["text"] == text
        process.stdin.close()
        assert process.wait(30) == 0


def test_classify_ends_quietly_when_the_reader_leaves() -> None:
    reading, writing = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "classify"],
        stdin=subprocess.PIPE,
        stdout=writing,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(writing)
        os.close(reading)
        _, error = process.communicate(b"Oil falls\n" * 1_000, timeout=100)
    assert process.returncode == 0
    assert error == b""
