"""What every channel keeps, over the registry, against a real HTTP server on loopback."""

from __future__ import annotations

import io
import json
import logging
import socket
import time
import traceback
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from monitor.domain import AlertState, Evidence, Notification
from monitor.errors import ConfigError
from monitor.notify.channels import (
    CHANNELS,
    Channel,
    ChannelConfig,
    ChannelRefused,
    ChannelRetriable,
    ConsoleChannel,
    build_channel,
)
from monitor.notify.message import render, render_group
from monitor.notify.webhook import verify
from tests.support.make import alert as alert_of
from tests.support.receiver import Receiver

SECRET = "hush-9f3a"
PATH = "hidden-token-77"


@dataclass
class Sample:
    """How to make a channel of one kind that reaches 127.0.0.1:port, and what it can tell."""

    url: str
    secret: str = ""
    over_http: bool = True
    tells_refusal: bool = True
    bad: tuple[ChannelConfig, ...] = field(default=())

    def config(self, kind: str, port: int) -> ChannelConfig:
        return ChannelConfig("desk", kind, self.url.format(port=port), self.secret, timeout_s=0.5)


SAMPLES = {
    "console": Sample("", over_http=False),
    "webhook": Sample(
        f"http://127.0.0.1:{{port}}/{PATH}",
        SECRET,
        bad=(
            ChannelConfig("desk", "webhook", f"ftp://h.example/{PATH}", SECRET),
            ChannelConfig("desk", "webhook", f"https:///{PATH}", SECRET),
            ChannelConfig("desk", "webhook", f"https://h.example:port/{PATH}", SECRET),
            ChannelConfig("desk", "webhook", f"https://h.example/{PATH}", ""),
            ChannelConfig("desk", "webhook", "", SECRET),
        ),
    ),
    "alertmanager": Sample(
        f"http://127.0.0.1:{{port}}/{PATH}",
        bad=(
            ChannelConfig("desk", "alertmanager", f"ftp://h.example/{PATH}"),
            ChannelConfig("desk", "alertmanager", ""),
        ),
    ),
    "apprise": Sample(
        f"json://127.0.0.1:{{port}}/{PATH}/?cto=0.5&rto=0.5",
        tells_refusal=False,
        bad=(
            ChannelConfig("desk", "apprise", ""),
            ChannelConfig("desk", "apprise", f"nosuch://{PATH}"),
            ChannelConfig("desk", "apprise", f"msteams://{PATH}"),
        ),
    ),
}
OVER_HTTP = [kind for kind, sample in SAMPLES.items() if sample.over_http]


def note(subject: str = "Acme: bank run", body: str = "line one\nline two") -> Notification:
    return Notification(
        7, "key-7", "desk", "al1", subject, body, {"schema_version": 1, "title": "Ünï \u202e x"}
    )


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make(kind: str, port: int) -> Channel:
    return build_channel(SAMPLES[kind].config(kind, port))


def no_secret_in(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    told = "".join(traceback.format_exception(error)) + str(error.args) + caplog.text
    # The traceback quotes this file's lines; the values are what must not be there.
    assert f"/{PATH}" not in told.replace("{PATH}", "")
    assert SECRET not in told


def test_every_kind_has_a_sample() -> None:
    assert SAMPLES.keys() == CHANNELS.keys()


@pytest.mark.parametrize("kind", CHANNELS)
def test_is_named_and_hides_what_it_knows(kind: str, free_port: int) -> None:
    config = SAMPLES[kind].config(kind, free_port)
    channel = build_channel(config)
    assert channel.name == "desk"
    for told in (repr(config), str(config), repr(channel)):
        assert PATH not in told and SECRET not in told


@pytest.mark.parametrize("kind", OVER_HTTP)
def test_delivers_once(kind: str, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    make(kind, receiver.server_port).send(note())
    assert len(receiver.received) == 1
    json.loads(receiver.received[0].body)
    assert PATH not in caplog.text


@pytest.mark.parametrize("kind", OVER_HTTP)
@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_busy_receiver_is_retriable(
    kind: str, status: int, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = status
    with pytest.raises(ChannelRetriable) as error:
        make(kind, receiver.server_port).send(note())
    no_secret_in(error.value, caplog)


@pytest.mark.parametrize("kind", OVER_HTTP)
def test_silence_is_retriable(
    kind: str, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.delay_s = 1.0
    with pytest.raises(ChannelRetriable) as error:
        make(kind, receiver.server_port).send(note())
    no_secret_in(error.value, caplog)


@pytest.mark.parametrize("kind", OVER_HTTP)
def test_nobody_there_is_retriable(
    kind: str, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ChannelRetriable) as error:
        make(kind, free_port).send(note())
    no_secret_in(error.value, caplog)


@pytest.mark.parametrize("kind", [kind for kind in OVER_HTTP if SAMPLES[kind].tells_refusal])
@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410])
def test_a_clear_no_is_refused_and_no_redirect_followed(
    kind: str, status: int, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = status
    with pytest.raises(ChannelRefused, match=str(status)) as error:
        make(kind, receiver.server_port).send(note())
    assert len(receiver.received) == 1
    no_secret_in(error.value, caplog)


@pytest.mark.parametrize("config", [bad for sample in SAMPLES.values() for bad in sample.bad])
def test_a_wrong_configuration_says_so_without_the_secret(
    config: ChannelConfig, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigError, match=r"channel 'desk'.*`(url|secret)`") as error:
        build_channel(config)
    no_secret_in(error.value, caplog)


def test_an_unknown_kind_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="console, webhook, apprise, alertmanager"):
        build_channel(ChannelConfig("desk", "pigeon"))


def test_webhook_is_signed_and_idempotent(receiver: Receiver) -> None:
    channel = make("webhook", receiver.server_port)
    channel.send(note())
    channel.send(note())
    first, second = receiver.received
    signature = first.headers["x-foreshock-signature"]
    assert verify(signature, first.body, SECRET.encode(), time.time())
    assert not verify(signature, first.body + b" ", SECRET.encode(), time.time())
    assert not verify(signature, first.body, b"other", time.time())
    assert not verify(signature, first.body, SECRET.encode(), time.time() + 3600)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "key-7"
    assert first.body == second.body
    assert json.loads(first.body) == dict(note().payload)


def told(state: str = "firing") -> Notification:
    """What the notify stage sends of a real alert, and of two together."""
    when = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    proof = Evidence(
        "a" * 32, "r", when, "Wire", "Acme recalls", "https://w.example/1", "q", -1.0, ""
    )
    over_at = when + timedelta(hours=1) if state == "resolved" else None
    alert = alert_of(
        *("acme", "recall", 4),
        at=when,
        state=AlertState(state),
        id="al1",
        publishers=2,
        evidence=(proof,),
        resolved_at=over_at,
    )
    subject, body, payload = render(alert, "new alert", "https://desk.example", "Acme")
    return Notification(7, "key-7", "desk", "al1", subject, body, payload)


def test_an_alertmanager_that_is_none_says_so(receiver: Receiver) -> None:
    with pytest.raises(ChannelRefused, match="no list of alerts; is its `url` that of an Alert"):
        make("alertmanager", receiver.server_port).send(told())


def test_a_webhook_can_speak_as_alertmanager_does(receiver: Receiver) -> None:
    config = replace(
        SAMPLES["webhook"].config("webhook", receiver.server_port), format="alertmanager"
    )
    channel, one, over = build_channel(config), told(), told("resolved")
    group = {"route": "rates", "group_labels": {"company": "Acme", "sector": 'lamps "x"'}}
    one = replace(one, payload={**one.payload, **group})
    over = replace(over, payload={**over.payload, **group})
    many = render_group([(each.subject, each.body, each.payload) for each in (one, over)])
    for each in (one, replace(one, subject=many[0], body=many[1], payload=many[2]), over):
        channel.send(each)
    first, second, third = (json.loads(each.body) for each in receiver.received)
    assert set(first) == {
        "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels",
        "commonLabels", "commonAnnotations", "externalURL", "alerts",
    }  # fmt: skip
    assert (first["version"], first["status"], first["receiver"]) == ("4", "firing", "desk")
    assert set(first["alerts"][0]) == {
        "status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint",
    }  # fmt: skip
    assert first["commonLabels"] == first["alerts"][0]["labels"]
    assert [each["status"] for each in (first, second, third)] == ["firing", "firing", "resolved"]
    for body in (first, second, third):
        assert body["groupKey"] == 'rates:{company="Acme",sector="lamps \\"x\\""}'
        assert body["groupLabels"] == group["group_labels"]
        assert body["groupLabels"].items() <= body["commonLabels"].items()
        assert body["externalURL"] == "https://desk.example" and body["truncatedAlerts"] == 0
        assert {each["generatorURL"] for each in body["alerts"]} == {
            "https://desk.example/alerts?alert=al1"
        }
    assert [each["endsAt"] for each in second["alerts"]] == [
        "0001-01-01T00:00:00Z",
        "2026-01-05T10:00:00Z",
    ]
    assert second["commonAnnotations"] == first["commonAnnotations"]


def test_webhook_hears_how_long_to_wait(receiver: Receiver) -> None:
    receiver.status, receiver.retry_after_s = 503, 7
    with pytest.raises(ChannelRetriable) as error:
        make("webhook", receiver.server_port).send(note())
    assert error.value.retry_after_s == 7.0


def test_apprise_defangs_what_chats_render(receiver: Receiver) -> None:
    make("apprise", receiver.server_port).send(
        note("a\r\nb <!channel>", "[x](https://e.example) @here **b**")
    )
    sent = json.loads(receiver.received[0].body)
    assert sent["title"] == "a b \u2039!channel\u203a"
    assert (
        "](" not in sent["message"]
        and "@here" not in sent["message"]
        and "**" not in sent["message"]
    )


def test_console_prints_text_as_it_is() -> None:
    out = io.StringIO()
    channel = ConsoleChannel(
        ChannelConfig("screen", "console"), Console(file=out, force_terminal=False)
    )
    channel.send(note("[red]Acme[/red] \x1b]0;owned\x07 :smile:", "[link=x]a[/link]\r\nb\x1b[2J"))
    printed = out.getvalue()
    assert (
        "[red]Acme[/red]" in printed and "[link=x]a[/link]\nb" in printed and ":smile:" in printed
    )
    assert not set(printed) & set("\x1b\x07\r")


def test_a_closed_console_is_retriable() -> None:
    out = io.StringIO()
    out.close()
    with pytest.raises(ChannelRetriable):
        ConsoleChannel(ChannelConfig("screen", "console"), Console(file=out)).send(note())
