from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.entities import load_watchlist
from monitor.entities.codes import isin_is_valid
from monitor.entities.watchlist import load_listings, load_reference, slug
from monitor.errors import ConfigError


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "watchlist.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_reads_every_column_in_any_order_and_case(tmp_path: Path) -> None:
    text = "\ufeffISIN,Name,Aliases,Ticker,Note\n"
    text += "US0378331005,Apple,Apple Inc; 苹果 ;,$aapl,tech\n\n,工商银行,工行,,\n"
    watchlist = load_watchlist(write(tmp_path, text))
    apple, icbc = watchlist.companies
    assert (apple.id, apple.aliases, apple.ticker) == ("apple", ("Apple Inc", "苹果"), "AAPL")
    assert (apple.isin, icbc.id, icbc.ticker, icbc.isin) == ("US0378331005", "工商银行", None, None)
    assert len(watchlist.warnings) == 1 and "`note`" in watchlist.warnings[0]


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


FULL = (
    "name,aliases,ticker,ric,isin,lei,credit_code,parent,sector,country,groups\n"
    "Acme,,ACM,ACM.N; ACM.L,US0378331005,5493001KJTIIGC8Y1R12,,,Tools,US,core;long only\n"
    "Bolt,Bolt Works,,,,,91350100M000100Y43,acme,,,\n"
    "Nut,,,,,,,Bolt Works,,,\n"
)


def test_reads_what_is_said_of_a_company(tmp_path: Path) -> None:
    watchlist = load_watchlist(write(tmp_path, FULL))
    acme, bolt, nut = watchlist.companies
    assert acme.rics == ("ACM.N", "ACM.L")
    assert (acme.lei, acme.sector, acme.country) == ("5493001KJTIIGC8Y1R12", "Tools", "US")
    assert acme.groups == ("core", "long only")
    assert bolt.credit_code == "91350100M000100Y43"
    assert (acme.parent, bolt.parent, nut.parent) == (None, "acme", "bolt")
    assert watchlist.parents == {"bolt": "acme", "nut": "bolt"}
    assert watchlist.ancestors("nut") == ("bolt", "acme")
    assert not watchlist.warnings


@pytest.mark.parametrize(
    ("row", "line", "says"),
    [
        ("Nail,,,NAIL,,,,,,,", 5, "instrument code 'NAIL'"),
        ("Nail,,,,,5493001KJTIIGC8Y1R13,,,,,", 5, "LEI"),
        ("Nail,,,,,,91350100M000100Y44,,,,", 5, "social credit code"),
        ("Nail,,,,,,,Hammer,,,", 5, "parent 'Hammer'"),
        ("Nail,,,,,,,Nail,,,", 5, "its own parent"),
    ],
)
def test_a_wrong_column_names_line_and_remedy(
    tmp_path: Path, row: str, line: int, says: str
) -> None:
    path = write(tmp_path, FULL + row + "\n")
    with pytest.raises(ConfigError) as error:
        load_watchlist(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert says in str(error.value)


def test_parents_in_a_ring_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "name,parent\nA Co,B Co\nB Co,C Co\nC Co,A Co\n")
    with pytest.raises(ConfigError, match="its own parent"):
        load_watchlist(path)


def test_listings_of_one_company_are_joined(tmp_path: Path) -> None:
    text = "code,long name\nA.N,Acme Corp\nA.L,Acme\nM.N,Merck & Co\nM.DE,Merck KGaA\nX.N,Co Ltd\n"
    listings = load_listings(write(tmp_path, text), "Code", "Long Name")
    assert [company.name for company in listings.companies] == [
        "Acme Corp",
        "Merck & Co",
        "Merck KGaA",
    ]
    assert listings.ids["acme-corp"] == {"A.N", "A.L"}
    assert listings.ids["co-ltd"] == {"X.N"}  # a code that counts as missed: nobody is called so


def test_a_listing_without_a_code_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "ric,name\nA.N,Acme\n,Bolt\n")
    with pytest.raises(ConfigError, match=r":3: no `ric`"):
        load_listings(path, "ric")


def test_a_reference_leaves_out_whom_the_desk_watches(tmp_path: Path) -> None:
    watched = load_watchlist(write(tmp_path, "name,ticker\nAcme,ACM\n")).companies
    path = tmp_path / "reference.csv"
    path.write_text("name,ticker\nAcme Inc,\nAcme Bolt Corp,\nThe Acme People,ACM\n", "utf-8")
    assert [company.name for company in load_reference([path], watched)] == ["Acme Bolt Corp"]
