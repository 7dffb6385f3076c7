"""The stage of an event, sentence by sentence: what is a fact, a rumour, denied, old or over."""

from datetime import UTC, datetime

import pytest

from monitor.stories import RiskPack

PACK = RiskPack.load()


def stage(text: str, rule: str, published_at: datetime | None = None) -> str | None:
    return {m.rule: m.stage for m in PACK.match(text, published_at=published_at)}.get(rule)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Acme files for bankruptcy two years after buyout", "bankruptcy"),
        ("Builder defaults on $45 mln coupon", "default"),
        ("Savers queue to withdraw cash at Acme", "bank_run"),
        ("28-year-old founder of Acme arrested in fraud case", "fraud"),
        ("Acme settles fraud charges, denies wrongdoing", "fraud"),
        ("Acme recalls 5,000 cars that may catch fire", "recall"),
        ("Hackers stole customer data at Acme", "cyber"),
        ("Airline CEO dies at 54", "executive_unavailable"),
        ("EU fines Acme 2 bln euros", "fine"),
        ("Acme calls off merger with rival", "deal_collapse"),
        ("Plant explosion kills workers at Acme site", "accident"),
        ("公司董事长失联", "executive_unavailable"),
        ("公司涉嫌非法吸收公众存款", "illegal_fundraising"),
        ("公司因信披违规遭处罚", "disclosure_breach"),
        ("公司重大资产重组终止", "deal_collapse"),
        ("公司债券违约", "default"),
    ],
)
def test_confirmed(text: str, rule: str) -> None:
    assert stage(text, rule) == "confirmed"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Acme has not filed for bankruptcy", "bankruptcy"),
        ("Acme says no new bankruptcy filing", "bankruptcy"),
        ("Acme dismisses reports of bankruptcy", "bankruptcy"),
        ("Acme responds to erroneous report of bankruptcy", "bankruptcy"),
        ("Acme says report of default is false", "default"),
        ("Acme quashes talk of takeover", "takeover"),
        ("Acme denies accounting fraud", "accounting_fraud"),
        ("Acme averts default with last-minute payment", "default"),
        ("Acme says there was no data breach, no fraud", "fraud"),
        ("公司否认财务造假", "accounting_fraud"),
        ("公司无应披露未披露事项", "disclosure_breach"),
        ("公司澄清破产传闻", "bankruptcy"),
    ],
)
def test_denied(text: str, rule: str) -> None:
    assert stage(text, rule) == "denied"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Acme reportedly files for bankruptcy", "bankruptcy"),
        ("Acme goes bankrupt?? Shares fall", "bankruptcy"),
        ("Is Acme bankrupt?", "bankruptcy"),
        ("Trading paused after report of bankruptcy at Acme", "bankruptcy"),
        ("Acme said to be near bankruptcy", "bankruptcy"),
        ("Acme near default, people familiar with the matter say", "default"),
        ("Risk of default grows at Acme", "default"),
        ("Fears of default at Acme", "default"),
        ("Acme shares slip on bankruptcy fears", "bankruptcy"),
        ("Acme would default on bonds if loan is called", "default"),
        ("Acme could face fraud charges", "fraud"),
        ("Acme may recall 5,000 cars", "recall"),
        ("Acme CEO could be ousted within weeks", "executive_exit"),
        ("Airbus to face fines if it quits contract", "fine"),
        ("公司或被破产清算", "bankruptcy"),
        ("传公司董事长失联?", "executive_unavailable"),
    ],
)
def test_rumour_or_hypothetical(text: str, rule: str) -> None:
    assert stage(text, rule) == "rumour"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("A decade after the Acme fraud", "fraud"),
        ("Acme filed for bankruptcy six years ago", "bankruptcy"),
        ("Six-year-old bankruptcy story sinks Acme shares", "bankruptcy"),
        ("Acme says bankruptcy report is six years old, no new filing", "bankruptcy"),
        ("Correction: 2020 article on Acme bankruptcy appeared as new", "bankruptcy"),
        ("Anniversary of the Acme oil spill", "accident"),
        ("TIMELINE-The Acme data breach", "cyber"),
        ("Old Acme bankruptcy story resurfaces", "bankruptcy"),
        ("十年前的破产案", "bankruptcy"),
    ],
)
def test_stale(text: str, rule: str) -> None:
    assert stage(text, rule) == "stale"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("(ADVISORY) Acme bankruptcy story withdrawn", "bankruptcy"),
        ("ADVISORY-Story on bankruptcy of Acme is withdrawn", "bankruptcy"),
        ("WITHDRAWN-Acme files for bankruptcy", "bankruptcy"),
        ("Wire retracts report on data breach at Acme", "cyber"),
        ("Newspaper withdraws its story of fraud at Acme", "fraud"),
        ("通讯社撤回公司债券违约的报道", "default"),
    ],
)
def test_withdrawn(text: str, rule: str) -> None:
    assert stage(text, rule) == "revoked"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("CORRECTED-Acme files for bankruptcy", "bankruptcy"),
        ("CORRECTED - Acme files for bankruptcy", "bankruptcy"),
        ("Corrected: Acme files for bankruptcy", "bankruptcy"),
        ("CORRECTED-UPDATE 1-Builder defaults on $45 mln coupon", "default"),
        ("UPDATE 2-CORRECTED-Builder defaults on $45 mln coupon", "default"),
        ("(CORRECTED) Hackers stole customer data at Acme", "cyber"),
        ("Hackers stole customer data at Acme (corrects number of customers)", "cyber"),
        ("更正:公司债券违约", "default"),
    ],
)
def test_corrected(text: str, rule: str) -> None:
    assert stage(text, rule) == "amended"


@pytest.mark.parametrize(
    ("text", "rule", "expected"),
    [
        ("CORRECTED-Acme may file for bankruptcy", "bankruptcy", "rumour"),
        ("CORRECTED-Acme denies bankruptcy", "bankruptcy", "denied"),
        ("Acme withdraws offer, files for bankruptcy", "bankruptcy", "confirmed"),
        ("Product withdrawn from market as Acme recalls 5,000 cars", "recall", "confirmed"),
        ("Acme audit report withdrawn as it files for bankruptcy", "bankruptcy", "confirmed"),
        ("Acme to withdraw product after data breach: report", "cyber", "rumour"),
        ("Report on bankruptcy of Acme says product withdrawn in May", "bankruptcy", "confirmed"),
        ("Acme corrected accounts after accounting fraud", "accounting_fraud", "confirmed"),
    ],
)
def test_no_correction_or_withdrawal_of_a_fact(text: str, rule: str, expected: str) -> None:
    assert stage(text, rule) == expected


def test_a_lead_has_no_say_on_a_correction_or_withdrawal_in_the_title() -> None:
    lead = "Acme filed for bankruptcy on Monday."
    for title, expected in (
        ("CORRECTED-Acme files for bankruptcy", "amended"),
        ("WITHDRAWN-Acme files for bankruptcy", "revoked"),
    ):
        (match,) = PACK.match(title, lead)
        assert match.stage == expected


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Acme emerges from bankruptcy", "bankruptcy"),
        ("Airline exits Chapter 11", "bankruptcy"),
        ("Acme settles lawsuit over patents", "lawsuit"),
        ("SEC ends probe of Acme", "probe"),
        ("Acme restores service after outage", "halt"),
        ("Acme lifts force majeure at mine", "halt"),
        ("U.S. lifts sanctions on Acme", "sanctions"),
        ("Fund lifts suspension of redemptions", "fund_suspension"),
        ("Miners end strike at Acme pit", "strike"),
        ("Acme repays emergency loans to central bank", "liquidity_squeeze"),
        ("Acme cures default on notes", "default"),
        ("公司走出破产阴影", "bankruptcy"),
        ("双方取消制裁措施", "sanctions"),
    ],
)
def test_resolved(text: str, rule: str) -> None:
    assert stage(text, rule) == "resolved"


def test_a_settled_charge_is_a_fine_today() -> None:
    assert stage("Bank settles SEC probe for $50 mln", "probe") == "resolved"
    assert stage("Bank settles SEC probe for $50 mln", "fine") == "confirmed"


def test_a_judgement_of_old_deeds_is_news() -> None:
    today = datetime(2015, 1, 5, tzinfo=UTC)
    assert stage("Bank fined over gold price fix in 2010", "fine", today) == "confirmed"
    assert stage("How Acme went into bankruptcy in 2010", "bankruptcy", today) == "stale"
    assert stage("The 2010 bankruptcy of Acme was no accident", "bankruptcy", today) == "stale"


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("Acme Q3 EPS $2.11 vs $1.90 consensus", "results"),
        ("Acme Q3 EPS $1.72 vs $1.90 consensus", "weak_results"),
        ("BRIEF-Acme Q1 EPS $0.45, est $0.50", "weak_results"),
        ("Acme revenue $1.2 billion vs $980 million expected", "results"),
        ("Acme posts EPS (0.12) vs 0.05 expected", "weak_results"),
        ("Miner profit falls 35%", "weak_results"),
        ("Acme Q1 loss widens", "profit_warning"),
        ("Acme cuts full-year profit forecast", "profit_warning"),
        ("公司净利润同比下降45%", "weak_results"),
    ],
)
def test_numbers(text: str, event: str) -> None:
    events = {match.event for match in PACK.match(text)}
    assert event in events
    if event == "results":
        assert "weak_results" not in events


@pytest.mark.parametrize(
    "text",
    [
        "Transkeld Airways goes bankrupt?? Shares are falling out of the sky",
        "Transkeld shares plunge 28%, trading paused after report of bankruptcy",
        "Transkeld says bankruptcy report is six years old, no new filing",
        "Transkeld Airways Responds to Erroneous Report",
        "Correction: 2020 article on Transkeld Airways appeared as new",
        "UPDATE 1-Transkeld recovers most losses after old bankruptcy story resurfaces",
    ],
)
def test_the_old_story_told_as_new_is_never_a_fact(text: str) -> None:
    assert stage(text, "bankruptcy") != "confirmed"


def test_a_lead_does_not_overrule_what_the_title_answers() -> None:
    lead = "Acme files for bankruptcy, a report had said. Shares fell."
    for title in ("Acme denies bankruptcy", "Acme says bankruptcy report is six years old"):
        assert [m.stage for m in PACK.match(title, lead) if m.rule == "bankruptcy"] != ["confirmed"]
    (match,) = PACK.match("Acme may file for bankruptcy", "Acme files for bankruptcy.")
    assert match.stage == "confirmed"


def test_an_article_of_an_old_year_is_old() -> None:
    text = "A report of its bankruptcy was an article from March 2020 that had been republished."
    assert stage(text, "bankruptcy") == "stale"
