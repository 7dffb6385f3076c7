"""Labelled tables: what can be wrong with a file is said with its place."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from models.errors import DataError
from models.labels import Head, HeadKind
from models.tables import read_labelled, read_splits

HEAD = Head("mood", HeadKind.SINGLE, ("down", "up"))
GOOD = 'split,label,text\ntrain,up,"Oil, up https://t.co/x"\ntest,down,Oil down\n'


def read(path: Path, split: str | None = None, text: str = "text", label: str = "label"):  # type: ignore[no-untyped-def]
    return read_labelled(path, text=text, label=label, head=HEAD, split=split)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.jsonl.gz"])
def test_every_form_reads_the_same(tmp_path: Path, name: str) -> None:
    content = GOOD
    if "jsonl" in name:
        content = (
            '{"split": "train", "label": "up", "text": "Oil, up https://t.co/x"}\n\n'
            '{"split": "test", "label": "down", "text": "Oil down"}\n'
        )
    data = content.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    found = read(tmp_path / name)
    assert found.texts == ("Oil, up", "Oil down")
    assert found.labels.tolist() == [1, 0]
    assert read(tmp_path / name, "test").texts == ("Oil down",)


@pytest.mark.parametrize(
    ("content", "asked", "said"),
    [
        (
            GOOD,
            {"text": "title"},
            r"line 2: no column 'title'; its columns are 'split', 'label', 'text'",
        ),
        (GOOD, {"label": "mood"}, r"no column 'mood'"),
        (GOOD, {"split": "dev"}, r"no rows of split 'dev'; its splits are 'test', 'train'"),
        ("label,text\nup,a\n", {"split": "test"}, r"no column 'split'"),
        (GOOD.replace("down,", "sideways,"), {}, r"'sideways' \(line 3\); it has 'down', 'up'"),
        (GOOD + "test,up\n", {}, r"line 4: 2 fields where the header has 3"),
        (GOOD + 'test,up,"open\n', {}, r"torn row"),
        ("", {}, r"empty; expected a header row"),
        ("label,text\n", {}, r"no rows to read"),
    ],
)
def test_a_bad_table_is_one_clear_error(
    tmp_path: Path, content: str, asked: dict[str, str], said: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=said) as caught:
        read(path, **asked)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"label,text\nup,\xff\xfe\n")
    with pytest.raises(DataError, match="not utf-8"):
        read(path)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(GOOD.encode() * 100)[:40])
    with pytest.raises(DataError, match="cannot be read"):
        read(path)
    with pytest.raises(DataError, match="expected a file named"):
        read(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="No such file"):
        read(tmp_path / "absent.csv")
    path = tmp_path / "a.jsonl"
    path.write_text('{"label": "up", "text": "a"}\n[1]\n', encoding="utf-8")
    with pytest.raises(DataError, match="line 2: expected an object"):
        read(path)


def test_several_labels_conditions_and_targets(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "split,label,text,who,kind\ntrain,up|down,a,Acme,x\ntrain,,b,Orion,x\nvalid,up,c,Acme,x\n"
        "train,up,d,Acme,y\n"
    )
    head = Head("events", HeadKind.MULTI, ("down", "up"))
    found = read_splits(
        path, text="text", label="label", head=head, target="who", where={"kind": "x"}
    )
    assert found["train"].texts == ("a", "b")
    assert found["train"].labels.tolist() == [[1, 1], [0, 0]]
    assert found["train"].targets == ("Acme", "Orion")
    assert len(found["valid"]) == 1


def test_labels_joined_otherwise_and_labels_the_head_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text(
        "topics,text\n中国 公司,a\n外国  公司,b\n公司 误,c\n误,d\n,e\n", encoding="utf-8"
    )
    topics = Head("topic", HeadKind.MULTI, ("中国", "外国", "公司"))
    columns = {"text": "text", "label": "topics", "head": topics, "separator": " "}
    with pytest.raises(DataError, match=r"'误' \(line 4\)"):
        read_labelled(path, **columns)  # type: ignore[arg-type]
    found = read_labelled(path, ignore_unknown=True, **columns)  # type: ignore[arg-type]
    assert found.texts == ("a", "b", "c", "d", "e")
    assert found.labels.tolist() == [[1, 0, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0], [0, 0, 0]]
    # A head with one label has nothing left of such a row.
    single = Head("topic", HeadKind.SINGLE, ("中国 公司", "误"))
    only = read_labelled(path, text="text", label="topics", head=single, ignore_unknown=True)
    assert only.texts == ("a", "d")
    assert only.labels.tolist() == [0, 1]
