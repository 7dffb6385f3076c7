from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.entities import load_watchlist
from monitor.entities.watchlist import isin_is_valid, slug
from monitor.errors import ConfigError


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "watchlist.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_reads_every_column_in_any_order_and_case(tmp_path: Path) -> None:
    text = "\ufeffISIN,Name,Aliases,Ticker,Sector\n"
    text += "US0378331005,Apple,Apple Inc; 苹果 ;,$aapl,tech\n\n,工商银行,工行,,\n"
    watchlist = load_watchlist(write(tmp_path, text))
    apple, icbc = watchlist.companies
    assert (apple.id, apple.aliases, apple.ticker) == ("apple", ("Apple Inc", "苹果"), "AAPL")
    assert (apple.isin, icbc.id, icbc.ticker, icbc.isin) == ("US0378331005", "工商银行", None, None)
    assert len(watchlist.warnings) == 1 and "`sector`" in watchlist.warnings[0]


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("", "", "empty"),
        ("name,aliases\n", "", "no company"),
        ("company,aliases\nAcme,\n", ":1", "no column `name`"),
        ("name;aliases\nAcme;\n", ":1", "comma-separated"),
        ("name,name\nAcme,\n", ":1", "given twice"),
        ("name,aliases\nAcme,\nacme,\n", ":3", "line 2"),
        ("name,aliases\nAcme,AC\nBolt,ac\n", ":3", "line 2"),
        ("name,aliases\nAcme,Bolt\nBolt,\n", ":3", "line 2"),
        ("name,aliases\nAcme\n", ":2", "1 fields where the header has 2"),
        ("name,aliases\nAcme,\nBolt,a,b\n", ":3", "3 fields where the header has 2"),
        ('name,aliases\nAcme,\n"Bolt,\nCore,\n', ":3", "torn row"),
        (b"name,aliases\nAcme,\nNestl\xe9,\n", ":3", "not UTF-8"),
        ("name,aliases,isin\nAcme,,US0378331006\n", ":2", "check digit"),
        ("name,aliases\n,x\n", ":2", "name is empty"),
        ("name,aliases\n!!!,\n", ":2", "no letter or digit"),
        ("name,aliases\nAlphabet,X\n", ":2", "alone"),
        ("name,aliases\n" + "x" * 200 + ",\n", ":2", "quote"),
    ],
)
def test_bad_input_names_file_line_and_remedy(
    tmp_path: Path, content: str | bytes, line: str, says: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ConfigError) as error:
        load_watchlist(path)
    assert str(error.value).startswith(f"{path}{line}:")
    assert says in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv.*check the path"):
        load_watchlist(tmp_path / "none.csv")


def test_the_line_after_a_quoted_line_break_is_right(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r":4: "):
        load_watchlist(write(tmp_path, 'name,note\nAcme,"two\nlines"\nBolt\n'))


@given(st.text(max_size=40))
def test_a_slug_is_its_own_slug(name: str) -> None:
    assert slug(slug(name)) == slug(name)
    assert "|" not in slug(name)


@given(st.binary(max_size=300))
def test_any_bytes_load_or_are_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = write(tmp_path_factory.mktemp("w"), b"name,aliases\n" + data)
    try:
        assert load_watchlist(path).companies
    except ConfigError as error:
        assert str(path) in str(error)


@given(
    st.sampled_from(["US0378331005", "GB0002634946", "DE0005557508", "FR0000131104"]),
    st.integers(0, 8),
)
def test_a_wrong_digit_fails_the_check(isin: str, step: int) -> None:
    assert isin_is_valid(isin)
    assert not isin_is_valid(isin[:-1] + str((int(isin[-1]) + 1 + step) % 10))


def test_the_desk_watchlist_loads(shared_data: Path) -> None:
    watchlist = load_watchlist(shared_data / "replay" / "watchlist.csv")
    assert len(watchlist.companies) == 136
    assert not watchlist.warnings
