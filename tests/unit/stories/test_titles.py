"""Titles taken apart: the bare title is the same for every way a wire sends one headline."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.stories.titles import WireTitle, read_title

BARE = "acme recalls 5,000 cars over fire risk"
NEWS = "Acme recalls 5,000 cars over fire risk"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (NEWS, WireTitle(BARE)),
        (f"UPDATE 2-{NEWS}", WireTitle(BARE, update=2)),
        (f"UPDATE 3 - {NEWS}", WireTitle(BARE, update=3)),
        (f"WRAPUP 3-{NEWS}", WireTitle(BARE, update=3)),
        (f"BRIEF-{NEWS}", WireTitle(BARE)),
        (f"EXCLUSIVE-{NEWS}", WireTitle(BARE)),
        (f"Exclusive: {NEWS}", WireTitle(BARE)),
        (f"REFILE-{NEWS}", WireTitle(BARE, repeat=True)),
        (f"RPT-UPDATE 1-{NEWS}", WireTitle(BARE, update=1, repeat=True)),
        (f"CORRECTED-{NEWS}", WireTitle(BARE, corrected=True)),
        (f"CORRECTED - {NEWS}", WireTitle(BARE, corrected=True)),
        (f"CORRECTED-UPDATE 1-{NEWS}", WireTitle(BARE, update=1, corrected=True)),
        (f"UPDATE 2-CORRECTED-{NEWS}", WireTitle(BARE, update=2, corrected=True)),
        (f"(CORRECTED) {NEWS}", WireTitle(BARE, corrected=True)),
        (f"{NEWS} (corrects number of cars)", WireTitle(BARE, corrected=True)),
        (f"{NEWS} (Adds detail)", WireTitle(BARE)),
        (f"{NEWS} (OFFICIAL)", WireTitle(BARE)),
        (f"(OFFICIAL) {NEWS}", WireTitle(BARE)),
        (f"{NEWS} - source", WireTitle(BARE)),
        (f"{NEWS} - sources", WireTitle(BARE)),
        (f"{NEWS}-sources", WireTitle(BARE)),
        (f"{NEWS} -WSJ", WireTitle(BARE)),
        (f"{NEWS} | The Daily Outlet", WireTitle(BARE)),
        (f"{NEWS} - The Springfield Herald", WireTitle(BARE)),
        (f"{NEWS} - Reuters", WireTitle(BARE)),
        (f"{NEWS} - source | Outlet.com", WireTitle(BARE)),
        (f"WITHDRAWN-{NEWS}", WireTitle(BARE, withdrawn=True)),
        ("【更新】公司债券违约", WireTitle("公司债券违约")),
        ("快讯:公司债券违约", WireTitle("公司债券违约")),
        ("【快讯】公司债券违约", WireTitle("公司债券违约")),
        ("更正:公司债券违约", WireTitle("公司债券违约", corrected=True)),
        ("【更正】公司债券违约", WireTitle("公司债券违约", corrected=True)),
    ],
)
def test_taken_apart(title: str, expected: WireTitle) -> None:
    assert read_title(title) == expected


@pytest.mark.parametrize(
    "title",
    [
        "(ADVISORY) Acme bankruptcy story withdrawn",
        "ADVISORY-Story on Acme recall is withdrawn",
        "Wire retracts its report on Acme",
        "通讯社撤回公司破产报道",
    ],
)
def test_withdrawn(title: str) -> None:
    assert read_title(title).withdrawn


@pytest.mark.parametrize(
    "title",
    [
        "Acme withdraws drug from market",
        "Acme shares - what to know after the fall",
        "Briefing rooms reopen at Acme",
        "Update your Acme phone now",
        "Correction in tech shares drags Acme lower",
        "Rio-Tinto style co-operation at Acme",
        "Acme audit report withdrawn by auditor",
        "Acme withdraws audit report",
        "Painter of the north - his life and times",
        "Report says drug of Acme to be withdrawn",
    ],
)
def test_words_of_the_news_are_no_marks(title: str) -> None:
    assert read_title(title) == WireTitle(title.lower())


@pytest.mark.parametrize("title", ["", "BRIEF-", "UPDATE 2-", "| Outlet", "(OFFICIAL)"])
def test_a_title_that_is_all_marks_is_not_lost(title: str) -> None:
    assert bool(read_title(title).bare) == bool(title)


def test_a_report_of_a_withdrawal_is_no_withdrawn_report() -> None:
    read = read_title("Acme plans to withdraw troops from site: report")
    assert read == WireTitle("acme plans to withdraw troops from site")


@given(
    st.lists(st.sampled_from(["UPDATE 2-", "RPT-", "REFILE-", "CORRECTED-", "BRIEF-"]), max_size=4),
    st.sampled_from(["", " - source", " -WSJ", " | Outlet"]),
)
def test_bare_once_is_bare_for_good(prefixes: list[str], suffix: str) -> None:
    read = read_title("".join(prefixes) + NEWS + suffix)
    assert read.bare == BARE
    assert read_title(read.bare) == WireTitle(BARE)
    assert read.corrected == ("CORRECTED-" in prefixes)
    assert read.repeat == bool({"RPT-", "REFILE-"} & set(prefixes))
    assert read.update == (2 if "UPDATE 2-" in prefixes else None)
