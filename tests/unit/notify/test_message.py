import json
import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.domain import Alert, AlertKind, AlertState, Dimension, Evidence
from monitor.notify.message import render
from monitor.notify.plaintext import block, defang, one_line

WHEN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def alert(
    title: str = "Acme files for bankruptcy", url: str | None = "https://n.example/1", n: int = 1
) -> Alert:
    evidence = tuple(
        Evidence(
            f"a{i}",
            "r",
            WHEN + timedelta(minutes=i),
            "wire.example",
            title,
            url,
            "the quote",
            -0.9,
            "rumour",
        )
        for i in range(n)
    )
    return Alert(
        id="al/1", fingerprint="acme|bankruptcy", kind=AlertKind.STORY, state=AlertState.FIRING,
        dimension=Dimension.COMPANY, key="acme", event="bank_run", severity=5, title=title,
        started_at=WHEN, updated_at=WHEN, decided_at=WHEN, items=n, publishers=1,
        details={"rule": "bank_run", "baseline": 0.25, "observed": 12, "z": float("nan"),
        "quote": "files for bankruptcy",
        "at": WHEN,
                 "list": (1,)},
        evidence=evidence,
    )  # fmt: skip


def test_says_what_who_how_grave_why_and_shows_evidence() -> None:
    subject, body, payload = render(alert(), "new alert", "https://desk.example/", "Acme Corp")
    assert subject == "[5/5 existential] Acme Corp: bank run - Acme files for bankruptcy"
    for part in (
        "Company: Acme Corp",
        "(new alert)",
        "Why: The risk rule “bank_run” matched the words “files for bankruptcy” in news naming Acme Corp.",
        "1 item from 1 publisher",
        "2026-03-02 09:30 UTC wire.example: Acme files for bankruptcy [rumour]",
        '"the quote"',
        "https://n.example/1",
        "https://desk.example/alerts?alert=al%2F1",
    ):
        assert part in body
    again = json.loads(json.dumps(payload, allow_nan=False))
    assert again == payload
    assert again["alert"]["details"]["z"] is None
    assert again["alert"]["started_at"] == "2026-03-02T09:30:00Z"


def test_much_evidence_is_cut_and_said() -> None:
    _, body, payload = render(alert(n=14), "more")
    assert "... and 4 more" in body
    assert len(payload["alert"]["evidence"]) == 10  # type: ignore[index]


def test_only_web_addresses_are_shown() -> None:
    for url in (
        "javascript:alert(1)",
        "https://a.example/\r\nx",
        "https://a b",
        "file:///etc/passwd",
        "https://[",
    ):
        _, body, payload = render(alert(url=url), "new")
        assert url not in body and "javascript" not in json.dumps(payload)


@given(st.text(), st.text())
def test_no_title_can_break_out(title: str, reason: str) -> None:
    plain_lines = render(alert("x"), "y")[1].count("\n")
    subject, body, payload = render(alert(title), reason)
    assert subject == one_line(subject) and len(subject) <= 150
    assert body == block(body) and body.count("\n") == plain_lines
    (subject + body + json.dumps(payload)).encode()


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert one_line(one_line(text)) == one_line(text)
    assert block(block(text)) == block(text)
    assert not set(one_line(text)) & set("\r\n\t\x1b\u202e\u2028")


@given(st.text(alphabet="<>@*_`~|[]()#a \n!-"))
def test_a_defanged_text_holds_no_markup(text: str) -> None:
    safe = defang(text)
    assert not set(safe) & set("<>*`~|")
    # An address stays one; a mention does not.
    assert "](" not in safe and not re.search(r"(?<![A-Za-z0-9/.])@\w", safe)
    assert not any(line.lstrip(" ").startswith(("#", "-")) for line in safe.split("\n"))
