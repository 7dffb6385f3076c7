"""Settings: ``foreshock.toml``, then ``FORESHOCK__SECTION__KEY`` from the environment on top.

Unknown keys are refused by name and line. Secrets may be given as ``file:PATH``; they are never printed.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from models.bounds import Bounds as NameShifts
from monitor.alert.story import StoryRule
from monitor.collect.dates import DateRules
from monitor.collect.options import Options
from monitor.collect.source import SourceConfig
from monitor.domain import Dimension
from monitor.errors import ConfigError
from monitor.notify.port import ChannelConfig
from monitor.relabel.plan import Plan
from monitor.relabel.samplers import SAMPLERS, SHARES
from monitor.retrain.plan import Margins, RetrainPlan
from monitor.secret import secret_text
from monitor.stream import KafkaSettings, LocalStreamSettings

# Where they are made they are imported: a supervisor reads settings, and needs neither pandas nor a database.
if TYPE_CHECKING:
    from monitor.alert.surge import SurgeRule
    from monitor.health import Bounds

ENV_PREFIX = "FORESHOCK__"
DEFAULT_FILE = Path("foreshock.toml")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def is_safe(url: str) -> bool:
    """Say whether secrets may be sent to an address: https, or this machine.

    Examples
    --------
    >>> is_safe("https://id.example/token"), is_safe("http://id.example"), is_safe("http://127.0.0.1:9")
    (True, False, True)
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    )


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(Section):
    """Where articles, trends and alerts are kept."""

    url: str = Field(
        "sqlite:///foreshock.db",
        description="`sqlite:///FILE` or `postgresql://USER@HOST/NAME`; `?password_file=PATH` behind the "
        "latter names the file of its password.",
    )
    minute_days: float = Field(35, gt=0, description="Days that minute buckets are kept.")
    hour_days: float = Field(800, gt=0, description="Days that hour buckets are kept; days stay.")
    article_days: float | None = Field(
        None,
        ge=60,
        description="Days that articles are kept without a label or an alert; for ever by default.",
    )


class KafkaSection(Section):
    """How to reach Kafka."""

    bootstrap_servers: str = Field(
        "127.0.0.1:9092", description="`host:port`, several separated by commas."
    )
    security_protocol: str = Field(
        "PLAINTEXT", description="`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`."
    )
    sasl_mechanism: str | None = Field(
        None, description="`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`."
    )
    sasl_username: str | None = Field(None, description="User for SASL.")
    sasl_password: SecretStr | None = Field(
        None, description="Password for SASL, or `file:PATH`. Never printed."
    )
    ssl_cafile: Path | None = Field(None, description="PEM file of the broker's authority.")
    ssl_certfile: Path | None = Field(None, description="PEM file of the client's certificate.")
    ssl_keyfile: Path | None = Field(None, description="PEM file of the client's key.")
    topic_prefix: str = Field("", description="Put before every topic and group name.")
    replication_factor: int = Field(1, ge=1, description="Of topics made here.")
    compression: Literal["gzip"] | None = Field(None, description="`gzip` or nothing.")
    delivery_timeout_s: float = Field(
        30.0, gt=0, description="Seconds to wait for acknowledgements before sending again."
    )
    session_timeout_s: float = Field(
        10.0, gt=0, description="Seconds until a killed process's partitions are taken over."
    )


class StreamSettings(Section):
    """What carries the streams."""

    kind: Literal["local", "kafka"] = Field(
        "local", description="`local` (one SQLite file, no broker) or `kafka`."
    )
    path: Path | None = Field(
        None, description="File of the embedded log; by default beside the SQLite database."
    )
    partitions: int = Field(4, ge=1, le=1000, description="Partitions of streams made here.")
    max_backlog: int = Field(
        20_000, ge=1, description="Collecting pauses while so many articles wait to be classified."
    )
    retention_days: float = Field(7.0, gt=0, description="Days that records are kept.")
    kafka: KafkaSection = Field(
        default_factory=lambda: KafkaSection(**{}), description="Used when `kind` is `kafka`."
    )


class ModelSettings(Section):
    """What classifies."""

    bundle: Path | None = Field(None, description="Folder of a bundle; the shipped one by default.")
    bundles: tuple[Path, ...] = Field(
        (),
        description="Folders of further bundles. A text is read by the bundle that lists its language, "
        "by `bundle` where no language is known.",
    )
    engine: Literal["auto", "openvino", "torch"] = Field(
        "auto", description="`auto` takes CUDA where it works, else `openvino` on the CPU."
    )
    threads: int | None = Field(
        None, ge=1, description="Threads of the CPU engine; all by default."
    )
    slowest: float = Field(
        1.5,
        gt=0,
        description="A promoted bundle that takes so many times as long as the one in use is refused.",
    )
    cache: Path | None = Field(
        None,
        description="SQLite file that keeps predictions by bundle and text, for news that is read more than "
        "once (replays); by default nothing is kept.",
    )

    @property
    def folders(self) -> tuple[Path | None, ...]:
        """Every bundle, the main one first; None is the shipped one."""
        return (self.bundle, *self.bundles)


class WatchlistSettings(Section):
    """Whom to watch."""

    path: Path | None = Field(
        None,
        description="CSV: `name`, and optional `aliases` (semicolons), `ticker`, `ric` (semicolons), "
        "`isin`, `lei`, `credit_code`, `parent`, `sector`, `country`, `groups` (semicolons).",
    )
    reference: tuple[Path, ...] = Field(
        (),
        description="CSVs of companies that are not watched, `name` and optional `ticker`, as `foreshock "
        "entities import` writes them: a short form that one of them shares, or a longer name of "
        "theirs, is not taken for a watched company.",
    )
    relations: Path | None = Field(
        None,
        description="CSV: `from`, `kind` (`supplier`, `lender`, `peer`), `to`, companies of the "
        "watchlist. Checked, and of use to rules that ask for it; no alert by itself.",
    )
    read_again_days: float = Field(
        30,
        ge=0,
        description="When the watchlist changes, stored articles of so many days are searched for its "
        "companies again, in the background; 0: none.",
    )


class SourceSettings(Section):
    """One source; repeat `[[sources]]`."""

    name: str = Field(description="Unique name.")
    kind: str = Field(
        "feed",
        description="`feed` (RSS, Atom, JSON Feed) or another of the [kinds](#extension-points).",
    )
    location: str = Field("", description="Path or http(s) URL; `push` needs none.")
    language: str | None = Field(None, description="ISO 639-1 code, when all items share one.")
    publisher: str | None = Field(None, description="Publisher, when the items do not say.")
    interval_s: float = Field(300.0, gt=0, description="Seconds between two visits.")
    articles: bool = Field(False, description="Fetch the page of each item for its text.")
    private: bool = Field(
        False,
        description="The host may have a private address: a feed of the intranet. One that is written as an "
        "address may have any.",
    )
    robots: bool = Field(
        True, description="Ask robots.txt first. Switch it off only with the leave of the owner."
    )
    slowest_s: float | None = Field(
        None,
        gt=0,
        description="Longest wait between two visits while there is little news; four intervals by default.",
    )
    credibility: float | None = Field(
        None,
        ge=0,
        le=1,
        description="How far its word alone is to be believed; below 0.5 what it reports is a rumour until "
        "somebody else reports it. 1 by default, 0.3 for `posts`.",
    )
    options: SerializeAsAny[Options] = Field(
        default_factory=Options,
        validate_default=True,
        description="What the kind can be told beyond these: `[sources.options]`.",
    )

    @field_validator("kind")
    @classmethod
    def _is_a_kind(cls, kind: str) -> str:
        from monitor.collect.sources import options_model  # loads the readers of all formats

        try:
            options_model(kind)
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return kind

    @field_validator("options", mode="wrap")
    @classmethod
    def _of_the_kind(cls, value: Any, _: Any, info: ValidationInfo) -> Options:
        from monitor.collect.sources import options_of

        return options_of(info.data["kind"], value) if "kind" in info.data else Options()

    def config(self) -> SourceConfig:
        return SourceConfig(**dict(self))


class DateSettings(Section):
    """Which dates can be believed."""

    tolerance_minutes: float = Field(5, ge=0, description="A date this far ahead is a fast clock.")
    stale_days: float = Field(7, gt=0, description="New to us but older than this: old news.")
    republished_days: float = Field(
        30,
        gt=0,
        description="A date in the URL or before the text this much older, or the same text so long "
        "before: an old story republished.",
    )

    def rules(self) -> DateRules:
        return DateRules(
            tolerance=timedelta(minutes=self.tolerance_minutes),
            stale_after=timedelta(days=self.stale_days),
            republished_after=timedelta(days=self.republished_days),
        )


class AlertSettings(Section):
    """Which rules there are."""

    rules: Path | None = Field(
        None,
        description="Alert rules: a YAML file or a folder of them; the shipped ones by default. Read again "
        "when it changes.",
    )


class StorySettings(Section):
    """Story alerts: a watched company, a risk event, a negative tone."""

    pack: Path | None = Field(
        None, description="Risk pack: a YAML file or a folder of them; the shipped one by default."
    )
    min_severity: int = Field(3, ge=1, le=5, description="Least severity of an event that fires.")
    severe: int = Field(
        4, ge=1, le=5, description="From here on the model must contradict to stop it."
    )
    agreement: float = Field(
        -0.1,
        description="Below `severe`: the mean of the scores towards the company and of the whole headline "
        "must be at most this.",
    )
    contradiction: float = Field(0.6, description="From `severe` on: a score above this stops it.")
    model_confidence: float = Field(
        0.97,
        ge=0,
        le=1,
        description="Least probability at which an event that no rule read, only the model, counts.",
    )
    quiet_hours: float = Field(48, gt=0, description="Hours without news that resolve an alert.")
    cooldown_hours: float = Field(
        24, ge=0, description="Hours after that before it may fire again."
    )

    def rule(self) -> StoryRule:
        return StoryRule(**self.model_dump(exclude={"pack"}))


class SurgeSettings(Section):
    """Surge alerts: negative news, and its share of all news, leaves its own baseline."""

    dimensions: tuple[Literal[Dimension.COMPANY, Dimension.TOPIC], ...] = Field(
        (Dimension.COMPANY, Dimension.TOPIC), description="`company`, `topic`."
    )
    windows_minutes: tuple[int, ...] = Field(
        (180, 1440), min_length=1, description="Widths of the trailing windows."
    )
    min_negative: int = Field(
        5, ge=1, description="Least negative items in the window; copies of a text count once."
    )
    negative_z: float = Field(4.5, gt=0, description="Least z of the negative items.")
    share_z: float = Field(
        2.0,
        ge=0,
        description="Least z of their share among the window's items, against its swing from day to day.",
    )
    warmup_days: float = Field(7, ge=0, description="Days of stream before any surge is decided.")
    history_days: float = Field(28, gt=0, description="Days a baseline looks back.")
    quiet_hours: float = Field(12, gt=0, description="Hours without surge that resolve an alert.")
    cooldown_hours: float = Field(
        24, ge=0, description="Hours after that before it may fire again."
    )

    def rule(self) -> SurgeRule:
        from monitor.alert.surge import SurgeRule

        return SurgeRule(**self.model_dump())


class TrendSettings(Section):
    """The sentiment index."""

    weights: dict[str, Annotated[float, Field(ge=0, le=10)]] = Field(
        {},
        description="Weights of publishers in the index, 0 to 10, by the name that articles carry, such as "
        '`{ "wire.example" = 2.0 }`; any other weighs 1. Articles that were counted keep theirs.',
    )
    close: time = Field(
        time(16), description="Local time at which a trading day closes, for `foreshock study`."
    )
    zone: ZoneInfo = Field(
        ZoneInfo("America/New_York"), description="Time zone of `close`, as in `Asia/Shanghai`."
    )


class ChannelSettings(Section):
    """One channel; repeat `[[notify.channels]]`."""

    name: str = Field(description="Unique name.")
    kind: str = Field(description="`console`, `webhook`, `apprise` or `alertmanager`.")
    url: SecretStr | None = Field(
        None,
        description="Address of the webhook or of Alertmanager, or an apprise URL; or `file:PATH`.",
    )
    format: Literal["foreshock", "alertmanager"] = Field(
        "foreshock",
        description="Body of a webhook; `alertmanager`: version 4 of the webhook of Prometheus "
        "Alertmanager, for what reads that already.",
    )
    secret: SecretStr | None = Field(
        None, description="Key that signs webhooks (HMAC-SHA256); or `file:PATH`."
    )

    def config(self) -> ChannelConfig:
        return ChannelConfig(
            self.name,
            self.kind,
            secret_text(self.url) or "",
            secret_text(self.secret) or "",
            format=self.format,
        )


class HeartbeatSettings(Section):
    """A dead man's switch: an outside monitor that calls people when Foreshock falls silent."""

    url: SecretStr | None = Field(
        None, description="What to ask for (GET) while the pipeline moves; or `file:PATH`."
    )
    every_s: float = Field(60.0, gt=0, description="Seconds between two beats.")
    behind_minutes: float = Field(
        10,
        gt=0,
        description="No beat, and not ready (`/readyz`), while the decisions are further behind the "
        "clock than this.",
    )
    undelivered_minutes: float = Field(
        15,
        gt=0,
        description="No beat, and not ready (`/readyz`), while a message that is due has not gone "
        "out for this long.",
    )

    def address(self) -> str | None:
        return secret_text(self.url)

    def bounds(self) -> Bounds:
        from monitor.health import Bounds

        return Bounds(
            timedelta(minutes=self.behind_minutes), timedelta(minutes=self.undelivered_minutes)
        )


class NotifySettings(Section):
    """Whom to tell, and of what."""

    routes: Path | None = Field(
        None,
        description="YAML: which channels hear of which alerts, how soon and at which hours; read again "
        "when it changes. Without it every channel hears of everything at once.",
    )
    heartbeat: HeartbeatSettings = HeartbeatSettings(**{})
    min_severity: int = Field(3, ge=1, le=5, description="Alerts below this are shown, not sent.")
    dashboard_url: str | None = Field(None, description="Base of the links in messages.")
    channels: tuple[ChannelSettings, ...] = Field((), description="Where messages go.")


class RelabelSettings(Section):
    """What analysts are asked to label, and in which mixture."""

    heads: tuple[str, ...] = Field(
        ("sentiment", "topic"),
        description="Heads that are asked, in this order; `target` asks about the companies that an item "
        "names.",
    )
    shares: dict[str, Annotated[float, Field(ge=0)]] = Field(
        dict(SHARES),
        description="Shares of the samplers (see [extension points](#extension-points)); they need not add "
        "up to one.",
    )
    second: float = Field(
        0.15, ge=0, le=0.9, description="Share of a queue that somebody else has labelled before."
    )
    known: float = Field(
        0.05, ge=0, le=0.5, description="Share of a queue whose answers are known: a check."
    )
    hide_guess: bool = Field(
        True, description="Show what the model says of an item only once it is answered."
    )
    pool: int = Field(20_000, ge=1, description="A queue is made from so many of the newest items.")
    session: int = Field(50, ge=1, le=1_000, description="Items of one session on the page.")

    @field_validator("shares")
    @classmethod
    def _of_samplers(cls, shares: dict[str, float]) -> dict[str, float]:
        for name in shares:
            if name not in SAMPLERS:
                raise ValueError(f"no sampler {name!r}; samplers are {', '.join(SAMPLERS)}")
        return shares

    def plan(self) -> Plan:
        return Plan(**self.model_dump())


class GateSettings(Section):
    """What a candidate has to show before it may classify; shares of rows, in [0, 1]."""

    worse: float = Field(
        0.005, ge=0, le=1, description="A head may lose so much accuracy on the frozen set."
    )
    doubt: float = Field(
        0.02,
        ge=0,
        le=1,
        description="The 95% interval of that loss may reach so far (paired bootstrap).",
    )
    alpha: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Level of the tests: better on recent gold, worse in a slice (McNemar, exact).",
    )
    frozen: int = Field(200, ge=1, description="Rows that the frozen set of a head needs.")
    recent: int = Field(20, ge=1, description="Rows that the recent gold of a head needs.")
    slice_worse: float = Field(
        0.05,
        ge=0,
        le=1,
        description="What a slice (topic, language, source) may lose, where the loss is beyond chance.",
    )
    slice_rows: int = Field(20, ge=1, description="Rows from which on a slice is looked at.")
    bias_mean: float = Field(
        0.10, ge=0, description="Mean shift of the score when a name is swapped for another."
    )
    bias_p95: float = Field(0.35, ge=0, description="95th percentile of that shift.")
    bias_flips: float = Field(
        0.10, ge=0, le=1, description="Share of swaps that change the sentiment."
    )
    bias_group: float = Field(
        0.10, ge=0, description="Distance of the mean shifts of two groups of names."
    )

    def margins(self) -> Margins:
        kept = self.model_dump(exclude={"bias_mean", "bias_p95", "bias_flips", "bias_group"})
        bounds = NameShifts(self.bias_mean, self.bias_p95, self.bias_flips, self.bias_group)
        return Margins(**kept, bias=bounds)


class RetrainSettings(Section):
    """When the model is trained on the desk's labels, on what, and who lets it classify."""

    cron: str | None = Field(
        None, description="When to train, as `30 2 * * 6` (UTC); by default at no fixed time."
    )
    after_labels: int | None = Field(
        None,
        ge=1,
        description="Train when so many labels are new that more than one person stands for; by default "
        "never by itself.",
    )
    on_drift: bool = Field(
        False, description="Train when a drift monitor speaks (`foreshock retrain drift`)."
    )
    promote: Literal["ask", "gate", "canary"] = Field(
        "ask",
        description="Who lets a candidate classify that passed the gate: `ask` an admin, `gate` at once, "
        "`canary` a share of the news first.",
    )
    folder: Path = Field(Path("foreshock-models"), description="Folder that candidates go into.")
    recipe: Path | None = Field(
        None,
        description="Recipe of a training of the whole model (`foreshock train`), which goes on from the "
        "champion; by default the heads are fitted anew and the encoder stays.",
    )
    least: int = Field(
        40, ge=1, description="Labels a head needs, of more than one person each, to be trained."
    )
    single: int = Field(
        50, ge=0, description="Labels of one person alone that are learnt, of each person at most."
    )
    right: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Who is right on a smaller share of ten known items or more teaches nothing alone.",
    )
    held_out: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of texts that are never learnt, by a hash of them. Raise it before the first "
        "training only: what was learnt would measure.",
    )
    old: int = Field(
        1_500, ge=0, description="Old texts of each head among the new, against forgetting."
    )
    share: float = Field(0.95, ge=0, lt=1, description="Of the loss that old texts have.")
    hold: float = Field(0.03, ge=0, description="Strength of the pull towards the champion.")
    recent_days: float = Field(
        30,
        gt=0,
        description="Gold of so many days is recent, unless the champion is of our own training: then what "
        "came after it.",
    )
    test_rows: int = Field(
        2_000, ge=1, description="Rows of each fetched test split that the gate reads, at most."
    )
    seed: int = Field(13, description="Of the choice of old texts.")
    shadow: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of live news that a candidate reads beside the champion; 0: none.",
    )
    canary: float = Field(
        0.1, gt=0, le=1, description="Share of live news of which a canary's answer counts."
    )
    canary_differs: float = Field(
        0.25,
        gt=0,
        le=1,
        description="A canary that differs from the champion on more of the news, beyond chance, retreats.",
    )
    gate: GateSettings = GateSettings(**{})

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, cron: str | None) -> str | None:
        if cron is not None and len(cron.split()) != 5:
            raise ValueError("five fields are expected: minute, hour, day, month, day of the week")
        return cron

    @property
    def has_occasions(self) -> bool:
        """Whether a training ever begins by itself."""
        return self.cron is not None or self.after_labels is not None or self.on_drift

    def plan(self, threads: int | None = None) -> RetrainPlan:
        names = {each.name for each in fields(RetrainPlan)} & set(type(self).model_fields)
        chosen = {name: getattr(self, name) for name in names}
        return RetrainPlan(**chosen, threads=threads, margins=self.gate.margins())


class OidcSettings(Section):
    """Single sign-on by OpenID Connect."""

    issuer: str = Field(
        description="URL of the identity provider, as it calls itself; https, or this machine."
    )
    client_id: str = Field(description="What the provider knows this service as.")
    client_secret: SecretStr | None = Field(
        None, description="Its secret; none for a public client, which PKCE alone protects."
    )
    scopes: tuple[str, ...] = Field(
        ("openid", "profile", "email"), description="Asked for; a provider may want one for groups."
    )
    label: str = Field("single sign-on", description="Of the provider, on the login page.")
    name_claim: str = Field(
        "preferred_username",
        description="Claim with a person's name here; else `email`, else `sub`. Used once: from then on "
        "issuer and subject say who it is.",
    )
    role_claim: str = Field(
        "groups",
        description="Claim with groups or roles; dots lead into nested ones (`realm_access.roles`).",
    )
    roles: dict[str, Literal["viewer", "analyst", "admin"]] = Field(
        default_factory=dict, description="Role that each group gives; the highest counts."
    )
    default_role: Literal["viewer", "analyst", "admin"] | None = Field(
        None, description="Role of who is in none of these groups; by default they are kept out."
    )
    email_domains: tuple[str, ...] = Field(
        (), description="Only verified mail addresses of these domains; empty for all."
    )
    public_url: str | None = Field(
        None,
        description="Address that browsers reach this service at, `https://desk.example`; by default the one "
        "they asked for. `/login/oidc` under it is what the provider sends them back to.",
    )

    @field_validator("issuer", "public_url")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        if value is not None and not is_safe(value):
            raise ValueError(f"{value}: write an https:// address (http:// on loopback only)")
        return value

    @field_validator("email_domains")
    @classmethod
    def _folded(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(each.casefold() for each in value)

    @model_validator(mode="after")
    def _lets_somebody_in(self) -> OidcSettings:
        if not self.roles and self.default_role is None:
            raise ValueError(
                "nobody could sign in: write roles, such as {risk-desk = 'analyst'}, or default_role"
            )
        if "openid" not in self.scopes:
            raise ValueError("scopes: 'openid' has to be among them")
        return self

    def secret(self) -> str | None:
        """The client's secret, read from its file where it names one."""
        return secret_text(self.client_secret)


class WebSettings(Section):
    """The dashboard and the API."""

    host: str = Field(
        "127.0.0.1", description="Address to listen on; loopback only without a login."
    )
    port: int = Field(8501, ge=0, le=65535, description="Port of dashboard, API and `/metrics`.")
    login: bool = Field(
        True,
        description="Ask for name and password. Without, everybody who reaches the port may act as an "
        "analyst: on loopback only.",
    )
    passwords: bool = Field(
        True, description="Let people sign in by name and password; false: by single sign-on only."
    )
    oidc: OidcSettings | None = Field(None, description="Single sign-on.")
    session_hours: float = Field(
        12, gt=0, le=24 * 30, description="How long somebody stays signed in."
    )
    open_metrics: bool = Field(
        False, description="Answer `/metrics` without a token of scope `read`."
    )
    backtests: Path = Field(
        Path("backtest"),
        description="Folder that `foreshock backtest --out` writes to, or one of several such folders: what "
        "the Backtest page shows.",
    )
    requests_per_minute: int = Field(
        600, ge=1, description="Of the API, for each person or token; more are refused (429)."
    )

    @model_validator(mode="after")
    def _checked(self) -> WebSettings:
        if not self.login and self.host not in LOOPBACK:
            raise ValueError(
                f"host is {self.host}: without a login the dashboard listens on loopback only; "
                "write login = true, or host = '127.0.0.1'"
            )
        if not self.passwords and self.oidc is None:
            raise ValueError("passwords = false: nobody could sign in without [web.oidc]")
        return self


class MetricsSettings(Section):
    """What a pipeline process answers to those who watch it: for where no web process runs beside it."""

    host: str = Field(
        "127.0.0.1", description="Address to listen on. Nothing there asks for a token."
    )
    port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of `/metrics`, `/healthz` and `/readyz`; by default none is opened.",
    )


class LogSettings(Section):
    """What is logged, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level.")
    format: Literal["text", "json"] = Field("text", description="`json` for machines.")


class TraceSettings(Section):
    """Where traces go (OpenTelemetry); to the log alone by default. Needs ``foreshock[otel]``."""

    endpoint: str | None = Field(
        None,
        description="URL of an OTLP collector over HTTP, as `http://127.0.0.1:4318/v1/traces`.",
    )
    ratio: float = Field(
        0.1, ge=0, le=1, description="Share of the articles that are traced; alerts all are."
    )


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    store: StoreSettings = StoreSettings(**{})
    stream: StreamSettings = StreamSettings(**{})
    model: ModelSettings = ModelSettings(**{})
    watchlist: WatchlistSettings = WatchlistSettings(**{})
    sources: tuple[SourceSettings, ...] = ()
    dates: DateSettings = DateSettings(**{})
    alert: AlertSettings = AlertSettings(**{})
    story: StorySettings = StorySettings(**{})
    surge: SurgeSettings = SurgeSettings(**{})
    trends: TrendSettings = TrendSettings(**{})
    notify: NotifySettings = NotifySettings(**{})
    relabel: RelabelSettings = RelabelSettings(**{})
    retrain: RetrainSettings = RetrainSettings(**{})
    web: WebSettings = WebSettings(**{})
    metrics: MetricsSettings = MetricsSettings(**{})
    log: LogSettings = LogSettings(**{})
    traces: TraceSettings = TraceSettings(**{})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings  # the environment wins over the file

    def broker_settings(self) -> LocalStreamSettings | KafkaSettings:
        """Return what `monitor.stream.open_broker` wants."""
        if self.stream.kind == "kafka":
            fields = self.stream.kafka.model_dump(exclude={"sasl_password"})
            return KafkaSettings(
                **fields,
                sasl_password=secret_text(self.stream.kafka.sasl_password),
                retention_days=self.stream.retention_days,
            )
        if self.stream.path is not None:
            return LocalStreamSettings(self.stream.path)
        if not self.store.url.startswith("sqlite:///"):
            return LocalStreamSettings(Path("foreshock-streams.db"))
        database = Path(self.store.url.removeprefix("sqlite:///"))
        return LocalStreamSettings(database.with_name(f"{database.stem}-streams.db"))


def load_settings(
    path: Path | None = None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Read the settings.

    Parameters
    ----------
    path
        The file; by default ``foreshock.toml`` in the working folder, if there is one.
    overrides
        From the command line, section by section; they win over everything.

    Raises
    ------
    ConfigError
        A key is unknown or a value does not fit; the message names file, line and key.
    """
    text = ""
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    if path is not None:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read ({error})") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    for name in _unknown_variables():
        raise ConfigError(
            f"environment variable {name}: no such setting; sections are "
            f"{', '.join(Settings.model_fields)}"
        )
    try:
        settings = Settings(**values)
        if overrides:
            # Validated again as a whole: what the command line says is checked like the file.
            merged = settings.model_dump()
            for section, keys in overrides.items():
                merged[section] = _merged(merged[section], keys)
            settings = _Explicit(**merged)
    except ValidationError as error:
        raise ConfigError(_explain(error, path, text)) from None
    except SettingsError as error:
        raise ConfigError(_explain_variable(str(error))) from None
    return settings


class _Explicit(Settings):
    """Settings that no longer look at the environment."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _merged(base: Any, keys: Any) -> Any:
    if isinstance(base, dict) and isinstance(keys, Mapping):
        return {**base, **{name: _merged(base.get(name), value) for name, value in keys.items()}}
    return keys


def _unknown_variables() -> Iterator[str]:
    for name in os.environ:
        if name.upper().startswith(ENV_PREFIX):
            section = name[len(ENV_PREFIX) :].split("__")[0].lower()
            if section not in Settings.model_fields:
                yield name


def _explain(error: ValidationError, path: Path | None, text: str) -> str:
    lines = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place = [str(part) for part in problem["loc"]]
        name = ".".join(place)
        where = "environment"
        variable = (ENV_PREFIX + "__".join(place)).upper()
        if variable in {key.upper() for key in os.environ}:
            where = variable
        elif path is not None:
            line = _line_of(text, place)
            where = f"{path}:{line}" if line else str(path)
        what = problem["msg"]
        if problem["type"] == "extra_forbidden":
            what = f"no such setting{_near(place)}"
        lines.append(f"{where}: {name}: {what}")
    return "\n".join(lines)


def _explain_variable(problem: str) -> str:
    """Name the variables of the section in which one could not be read: lists are JSON there."""
    section = re.search(r'field "(\w+)"', problem)
    prefix = ENV_PREFIX + (section[1].upper() if section else "")
    names = [name for name in os.environ if name.upper().startswith(prefix)]
    return f"environment: {', '.join(names)}: cannot be read; write a list as JSON, such as [180, 1440]"


def _near(place: list[str]) -> str:
    """List what could have been meant."""
    model: Any = Settings
    for part in place[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return ""
        model = field.annotation
    names = getattr(model, "model_fields", {})
    return f"; known here: {', '.join(names)}" if names else ""


def _line_of(text: str, place: list[str]) -> int | None:
    """Return the line of a key in TOML: the table it is in, then the key; a bare table for a section."""
    table: list[str] = []
    count: dict[str, int] = {}
    best = None
    want = [part for part in place if not part.isdigit()]
    index = next((int(part) for part in place if part.isdigit()), None)
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line):
            table = [part.strip().strip("'\"") for part in header[1].split(".")]
            if line.lstrip().startswith("[["):
                name = ".".join(table)
                count[name] = count.get(name, -1) + 1
            if table == want[: len(table)] and index in (None, _entry(table, count, index)):
                best = number
        elif key := re.match(r"\s*([A-Za-z0-9_.\"'-]+?)\s*=", line):
            full = table + [part.strip("'\"") for part in key[1].split(".")]
            if full == want and index in (None, _entry(table, count, index)):
                return number
    return best


def _entry(table: list[str], count: Mapping[str, int], default: int | None) -> int | None:
    """Return which entry of a list of tables we are in: ``[sources.options]`` belongs to the last one."""
    names = (".".join(table[:length]) for length in range(len(table), 0, -1))
    return next((count[name] for name in names if name in count), default)
