"""``data`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.dataset.rows import read_table
from monitor.cli.data import data_app


def data(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(data_app, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def news(tmp_path: Path) -> Path:
    path = tmp_path / "news.jsonl"
    with path.open("w") as file:
        for i in range(60):
            word = "".join(chr(97 + (i * 7 + k * k * (i + 3)) % 26) for k in range(25))
            row = {"text": f"{word} {word[::-1]}", "mood": ("up", "down")[i % 2]}
            file.write(json.dumps(row) + "\n")
    return path


def test_split_then_leaks(news: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv.gz"
    code, told, error = data("split", news, "--text", "text", "--label", "mood", "--out", out)
    assert code == 0, error
    assert "rows" in told
    assert "down" in told
    table = read_table(out)
    assert table.columns == ("split", "text", "mood")
    assert table.column("text") == read_table(news).column("text")
    assert data("leaks", out)[:2] == (0, "no leaks in 60 rows\n")
    code, _, error = data("split", out, "--text", "text", "--out", tmp_path / "again.csv")
    assert code == 2
    assert "say --replace" in error
    assert (
        data("split", out, "--text", "text", "--out", tmp_path / "again.csv", "--replace")[0] == 0
    )


def test_leaks_refuses_and_names_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "set.csv"
    path.write_text("split,text\ntrain,Oil falls 3%\ntest,OIL falls 3%\ntest,Oil falls 4%\n")
    code, told, _ = data("leaks", path)
    assert code == 1
    assert "set.csv line 2 (train) and set.csv line 3 (test)" in told
    assert "folded: 1 pairs" in told
    code, told, _ = data("leaks", path, "--kind", "same", "--json")
    assert code == 1
    assert [leak["second"]["line"] for leak in json.loads(told)] == [3]
    assert data("leaks", path, "--kind", "near")[0] == 0


def test_risk_writes_confirmed_and_rumoured_events_only(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text(
        "title\nAcme files for bankruptcy\nAcme denies it is bankrupt\nAcme holds annual meeting\n"
        "Savers queue to withdraw cash as bank run spreads\n"
    )
    out = tmp_path / "risk.csv"
    code, told, error = data("risk", path, "--text", "title", "--out", out)
    assert code == 0, error
    assert "2 of 4 rows with an event" in told
    table = read_table(out)
    events = table.column("risk")
    assert [bool(e) for e in events] == [True, False, False, True]
    assert events[0] == "bankruptcy"
    assert all(by.startswith("risk pack") for by in table.column("labelled_by"))
    assert data("risk", path, "--text", "title", "--out", out)[0] == 0
    assert "no column 'text'" in data("risk", path, "--text", "text", "--out", out)[2]
    assert "already" in data("risk", out, "--text", "title", "--out", tmp_path / "b.csv")[2]


def test_pseudo_label_by_the_shipped_bundle(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text(
        "title\nAcme shares plunge after heavy loss\nacme SHARES plunge after heavy loss\n"
        "央行下调存款准备金率\nOil prices fall as OPEC raises output\n"
    )
    out = tmp_path / "out.csv"
    code, told, error = data(
        "pseudo-label", path, "--text", "title", "--out", out, "--min-probability", 0,
        "--head", "topic", "--head", "sentiment",
    )  # fmt: skip
    assert code == 0, error
    assert "2 of 4 rows labelled" in told
    table = read_table(tmp_path / "out.sentiment.csv")
    assert table.column("title")[0] == "Acme shares plunge after heavy loss"
    assert set(table.column("split")) == {"train"}
    assert all(len(by.split()[-1]) == 64 for by in table.column("labelled_by"))
    assert "topic_probability" in read_table(tmp_path / "out.topic.csv").columns
    (tmp_path / "gold.csv").write_text("title,topic\nx,Macro\n")
    code, _, error = data("pseudo-label", path, "--text", "title", "--out", tmp_path / "gold.csv")
    assert code == 2
    assert "gold labels are not overwritten" in error
    code, _, error = data("pseudo-label", path, "--text", "title", "--out", out, "--head", "mood")
    assert (code, "no head 'mood'" in error) == (2, True)
    code, _, error = data("pseudo-label", path, "--text", "title", "--out", out, "--head", "target")
    assert (code, "gives no single label" in error) == (2, True)


def test_quality_by_the_frozen_base(tmp_path: Path) -> None:
    for library in ("cleanlab", "torch", "transformers"):
        pytest.importorskip(library)
    names = [
        "Acme",
        "Orion",
        "Cobalt",
        "Brightwater",
        "Delta Mining",
        "Norfolk",
        "Summit",
        "Harbour",
    ]
    path = tmp_path / "set.csv"
    with path.open("w") as file:
        file.write("text,sentiment\n")
        for number, name in enumerate(names * 3):
            verb = ("profit", "revenue", "margin")[number // len(names)]
            wrong = number == 5
            file.write(f"{name} {verb} surges to a record,{'negative' if wrong else 'positive'}\n")
            file.write(f"{name} {verb} collapses; shares plunge,negative\n")
    out = tmp_path / "issues.csv"
    options = ("--task", "sentiment", "--text", "text", "--label", "sentiment", "--folds", 4)
    code, told, error = data("quality", path, *options, "--out", out, "--json")
    assert code == 0, error
    found = json.loads(told)
    assert found["rows"] == 48
    assert found["out_of_sample_accuracy"] > 0.9
    lines = out.read_text().splitlines()
    assert lines[0].startswith("line,text,label,suggested,label_probability")
    assert len(lines) - 1 == found["issues"]
    assert found["classes"]["negative"]["rows"] == 25
    path.write_text("text,sentiment\nAcme up,great\n")
    code, _, error = data("quality", path, *options)
    assert code == 2
    assert "line 2: sentiment 'great' is no sentiment" in error
