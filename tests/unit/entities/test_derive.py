"""What long names are called, and that short forms name nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import Company
from monitor.entities import Resolver
from monitor.entities.derive import Trust, forms, is_nobodys
from monitor.entities.legal import FORMS, without_form, without_structure

DESK = Resolver(
    [
        Company("gm", "General Motors Corp", rics=("GM.N",)),
        Company("mills", "General Mills Inc", rics=("GIS.N",)),
        Company("amex", "American Express Co"),
        Company("bofa", "Bank of America Corp"),
        Company("lloyds", "Lloyds Banking Group Plc"),
        Company("jj", "Johnson & Johnson"),
        Company("citi", "Citigroup Inc"),
        Company("ford", "Ford Motor Co"),
        Company("delta", "Delta Air Lines Inc"),
        Company("target", "Target Corp"),
        Company("visa", "Visa Inc"),
        Company("total", "Total SA"),
        Company("gap", "Gap Inc"),
        Company("palm", "Palm Inc"),
        Company("apple", "Apple Inc"),
        Company("rio", "Rio Tinto Plc", ("Rio",)),
        Company("merck-co", "Merck & Co"),
        Company("merck-kgaa", "Merck KGaA"),
        Company("cooper", "Cooper Tire & Rubber Co"),
        Company("nasdaq", "Nasdaq OMX Group Inc"),
        Company("moutai", "贵州茅台酒股份有限公司", ("贵州茅台",), "600519.SH"),
        Company("midea", "美的集团股份有限公司"),
        Company("asahi", "Asahi Breweries Ltd"),
    ]
)


def named(title: str, lead: str = "") -> list[str]:
    return list(dict.fromkeys(m.company_id for m in DESK.resolve(title, lead)))


@pytest.mark.parametrize(
    ("text", "companies"),
    [
        ("GM to recall cars; AmEx, BofA and Amex gain", ["gm", "amex", "bofa"]),
        ("Lloyds shares slip as J&J gains", ["lloyds", "jj"]),
        ("Citi cuts Ford Motor to hold", ["citi", "ford"]),
        ("General Mills profit rises", ["mills"]),
        ("美的集团发布公告\uff0c贵州茅台(600519)下跌", ["midea", "moutai"]),
        ("Shares of 600519.SS and GM.N rose", ["moutai", "gm"]),
        # forms of nobody, and of too many
        ("General strike in France; American lines, bank of rivers", []),
        ("Merck raises outlook", []),
        ("AMEX gold index falls", []),
        ("JJ Quillan to speak at rail conference", []),
    ],
)
def test_short_forms(text: str, companies: list[str]) -> None:
    assert named(text) == companies


@pytest.mark.parametrize(
    ("company", "of_it", "not_of_it"),
    [
        ("target", "Target to cut 500 jobs", "Target price raised by broker"),
        ("target", "Profit falls at Target on weak demand", "Firm misses growth target"),
        ("gap", "Gap's profit slips", "Gap between rich and poor widens"),
        ("total", "Total says output fell", "Total return of fund shrinks"),
        ("visa", "Visa raises outlook", "Visa rules eased for students"),
        ("palm", "Palm shares fall on outlook", "Palm oil prices climb"),
        ("delta", "Delta to buy jets", "Delta State governor resigns"),
        ("apple", "Apple recalls chargers", "Big apple harvest in Spain"),
        ("ford", "Ford to close plant in Spain", "Ford Health opens clinic in Detroit"),
        ("ford", "Ford Joins Coalition On Fuel", "Ford Defense Coalition: Judge Errs In Ruling"),
        ("ford", "Sales at Ford rise in July", "Actor Harrison Ford hurt on set"),
        ("rio", "BHP and Rio to merge iron ore units", "Police strike in Rio de Janeiro"),
        ("cooper", "Cooper Tire posts loss", "Chief Executive Alison Cooper said to leave"),
        ("nasdaq", "Nasdaq OMX to buy exchange", "Nasdaq falls, Dow flat"),
        ("asahi", "Asahi to buy brewer", "Asahi newspaper reports on scandal"),
    ],
)
def test_ambiguous_names_both_ways(company: str, of_it: str, not_of_it: str) -> None:
    assert named(of_it) == [company]
    assert named(not_of_it) == []


def test_an_item_that_names_a_company_in_full_means_it_by_its_short_form() -> None:
    assert named("Merck raises outlook", "Drugmaker Merck KGaA said on Monday") == ["merck-kgaa"]
    assert named("Merck raises outlook", "Drugmaker Merck & Co said on Monday") == ["merck-co"]
    both = named("Merck raises outlook", "Merck & Co and Merck KGaA fell out over the name")
    assert both == ["merck-co", "merck-kgaa"]  # in the lead, and nobody by "Merck" alone
    assert DESK.resolve("Merck raises outlook") == ()


def test_a_stated_name_wins_over_a_form_of_another() -> None:
    desk = Resolver([Company("a", "Zenith Motors Corp"), Company("b", "Bolt", ("Zenith", "ZM"))])
    assert [m.company_id for m in desk.resolve("Zenith and ZM rise")] == ["b", "b"]


def test_companies_of_a_reference_list_compete_and_name_nobody() -> None:
    watched = [Company("kestrel", "Kestrelle Holdings Plc")]
    others = [Company("x", "Kestrelle Foods Inc"), Company("y", "Borealix Corp")]
    assert [m.alias for m in Resolver(watched).resolve("Kestrelle Foods and Kestrelle gain")] == [
        "Kestrelle",
        "Kestrelle",
    ]
    desk = Resolver(watched, others)
    assert desk.resolve("Kestrelle Foods, Kestrelle and Borealix gain") == ()
    in_full = desk.resolve("Kestrelle gains", "Kestrelle Holdings, owner of a shipyard, gained")
    assert [m.company_id for m in in_full] == ["kestrel", "kestrel"]


WORDS = st.sampled_from(
    ["Acme", "General", "Bolt", "Zenith", "Motors", "Bank", "of", "the", "&", "First", "汽车"]
)
NAMES = st.tuples(
    st.lists(WORDS, min_size=1, max_size=4).map(" ".join),
    st.sampled_from(["", " Inc", " Plc", " AG", " Co Ltd", " Holdings Inc", "股份有限公司"]),
).map("".join)


@given(NAMES)
def test_taking_the_form_off_twice_changes_nothing(name: str) -> None:
    for shorten in (without_form, without_structure):
        assert shorten(shorten(name)) == shorten(name)
    assert not without_form(name) or without_form(name).split(" ")[-1].lower() not in FORMS


@given(NAMES)
def test_forms_are_new_names_each_once(name: str) -> None:
    found = [form.text.lower() for form in forms(Company("x", name))]
    assert len(set(found)) == len(found)
    assert name.lower() not in found
    assert all(form.trust > Trust.STATED for form in forms(Company("x", name)))


@given(st.lists(NAMES, max_size=4, unique_by=str.lower), st.lists(NAMES, max_size=4).map(" ".join))
def test_what_is_found_is_watched_and_in_its_place(names: list[str], text: str) -> None:
    companies = [Company(str(number), name) for number, name in enumerate(names)]
    ends = 0
    for mention in Resolver(companies).resolve(text):
        assert mention.company_id in {company.id for company in companies}
        assert ends <= mention.start < mention.end <= len(text)
        ends = mention.end


@given(NAMES)
def test_a_long_name_is_found_as_it_is_written(name: str) -> None:
    if is_nobodys(name):
        return
    assert [m.alias for m in Resolver([Company("x", name)]).resolve(f"x {name}, y")][:1] in (
        [name],
        # one word that is also a word of English needs a cue
        [] if " " not in name else [name],
    )
