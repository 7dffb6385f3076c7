import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import Company
from monitor.entities import Resolver
from monitor.entities.fold import fold, unaccent
from monitor.errors import ConfigError

COMPANIES = [
    Company("apple", "Apple", ticker="AAPL"),
    Company("target", "Target", ("Target Corp",)),
    Company("visa", "Visa"),
    Company("mastercard", "MasterCard"),
    Company("total", "Total", ("Total SA",)),
    Company("ge", "General Electric", ("GE",)),
    Company("att", "AT&T", ticker="T"),
    Company("jj", "Johnson & Johnson", ("J&J",)),
    Company("goldman", "Goldman Sachs", ("Goldman",)),
    Company("exxon", "Exxon Mobil", ("Exxon",)),
    Company("shell", "Royal Dutch Shell", ("Shell",)),
    Company("vale", "Vale"),
    Company("palm", "Palm"),
    Company("ebay", "eBay"),
    Company("dell", "Dell"),
    Company("nestle", "Nestlé"),
    Company("macys", "Macy's"),
    Company("threem", "3M"),
    Company("icbc", "工商银行", ("工行",)),
    Company("ups", "UPS"),
]
RESOLVER = Resolver(COMPANIES)


def named(text: str) -> list[str]:
    return [mention.company_id for mention in RESOLVER.resolve(text)]


@pytest.mark.parametrize(
    ("text", "companies"),
    [
        # boundaries
        ("Pineapple prices rise", []),
        ("Apple's profit rises", ["apple"]),
        ("Apple\u2019s profit rises", ["apple"]),
        ("UPDATE 1-Apple-supplier cuts outlook-Goldman", ["apple", "goldman"]),
        ("Dell'Oro counts switches; O'Dell resigns", []),
        ("AT&T; and R&GE differ", ["att"]),
        ("Revenue of $12.3M, says 3M", ["threem"]),
        ("工商银行遭罚款\uff0c工行回应Apple发布会", ["icbc", "icbc", "apple"]),
        # longest, leftmost, no overlap
        ("Goldman Sachs and Goldman", ["goldman", "goldman"]),
        ("ExxonMobil, Johnson and Johnson, Macys", ["exxon", "jj", "macys"]),
        ("Royal Dutch Shell plc cuts", ["shell"]),
        # case
        ("ge and ups are not GE and UPS", ["ge", "ups"]),
        ("shell companies and an apple, but Shell and Apple", ["shell", "apple"]),
        ("EBay, Ebay and ebay", ["ebay", "ebay", "ebay"]),
        ("NESTLE, Nestle and nestlé", ["nestle", "nestle", "nestle"]),
        # tickers
        ("Maker (AAPL.O) and $T and (NYSE: T) but T alone", ["apple", "att", "att"]),
        # ordinary words
        ("Target price raised by broker", []),
        ("Target to cut 500 jobs", ["target"]),
        ("TARGET PRICE RAISED", []),
        ("TARGET CEO STEPS DOWN", ["target"]),
        ("Firm Announces Second Acquisition Target", []),
        ("Russian retailer hits back at Target over deal", ["target"]),
        ("Zweig Total Return fund pays out", []),
        ("REG-Fund : Total Voting Rights", []),
        ("Five New Stores Brings Total To 13", []),
        ("France's Total sees no change", ["total"]),
        ("Visa and MasterCard to stay", ["visa", "mastercard"]),
        ("Notes on Amazon, Target and Macy's", ["target", "macys"]),
        ("Former U.S. leader past visa ban", []),
        ("New Street Design In West Palm Beach", []),
        # people
        ("Jerry Vale, 1950s crooner, dies", []),
        ("Vale to shut coal mine", ["vale"]),
    ],
)
def test_who_is_named(text: str, companies: list[str]) -> None:
    assert named(text) == companies


def test_positions_and_fields() -> None:
    title, lead = "Apple falls", "Shares of Apple Inc. fell as AT&T rose"
    mentions = RESOLVER.resolve(title, lead)
    assert [mention.field for mention in mentions] == ["title", "lead", "lead"]
    assert [(title if m.field == "title" else lead)[m.start : m.end] for m in mentions] == [
        "Apple",
        "Apple",
        "AT&T",
    ]


def test_a_name_of_two_companies_is_refused() -> None:
    with pytest.raises(ConfigError, match="names both"):
        Resolver([Company("a", "Acme"), Company("b", "Bolt", ("ACME",))])


def test_an_empty_watchlist_names_nobody() -> None:
    assert Resolver([]).resolve("Apple falls") == ()


@given(st.text())
def test_folding_keeps_every_place(text: str) -> None:
    assert len(fold(text)) == len(unaccent(text)) == len(text)
    assert fold(fold(text)) == fold(text)


PIECES = [name for c in COMPANIES for name in (c.name, *c.aliases)] + [
    " ",
    "-",
    "'s ",
    ", ",
    "İ",
    "ß",
    "x",
    ".",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join))
def test_mentions_lie_in_the_text_in_order_without_overlap(text: str) -> None:
    reached = 0
    for mention in RESOLVER.resolve(text):
        assert reached <= mention.start < mention.end <= len(text)
        assert fold(text[mention.start : mention.end]) == fold(mention.alias)
        reached = mention.end


@given(
    st.sampled_from(["Goldman Sachs", "Exxon Mobil", "Royal Dutch Shell"]),
    st.text("abc ", max_size=20),
)
def test_a_plain_name_is_found_wherever_it_stands_alone(name: str, filler: str) -> None:
    assert RESOLVER.resolve(f"{filler} {name} {filler}")[0].alias == name


def test_a_huge_title_is_read_in_linear_time() -> None:
    assert len(RESOLVER.resolve("Visa, " * 50_000)) == 50_000
