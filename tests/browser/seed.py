"""Fill a store for the browser tests, with the real aggregate and alert stages.

Sixteen quiet days over a dozen made-up companies, then a bank run, a recall, a denied rumour and a surge of
rate news on the last day; some items in Chinese, which the model does not read; one hostile item.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.aggregate.stage import AggregateStage
from monitor.alert.rulebook import rule_book
from monitor.alert.ruleset import RuleSet
from monitor.alert.stage import AlertStage
from monitor.alert.story import Names, StoryRule
from monitor.alert.surge import SurgeRule
from monitor.backtest import RESULT, VERDICT_FILE
from monitor.backtest.expected import ExpectedEvent
from monitor.backtest.score import Window, score
from monitor.backtest.stored import as_result
from monitor.backtest.told import Told
from monitor.backtest.verdicts import save_verdicts
from monitor.domain import (
    EPOCH,
    OPEN_STATES,
    Article,
    ClassifiedArticle,
    Company,
    DateStatus,
    DeadItem,
    DeadReason,
    Mention,
    RiskMatch,
    article_id,
    digest,
    revision_of,
)
from monitor.metrics import Metrics
from monitor.pipeline import Input
from monitor.store import Store, alerts, companies, dead, outbox, progress, visits
from monitor.store.progress import Progress
from monitor.store.visits import Visit
from monitor.stream import LocalStreamSettings, open_broker
from monitor.stream.codec import Classified, Origin
from monitor.stream.port import Record

END = datetime(2026, 3, 17, 15, 42, tzinfo=UTC)
DAYS = 16
NAMES = (
    "Castlereach Bancorp", "Tarnwick Home", "Velundra Motors", "Ostrella Health", "Pellworth Group",
    "Transkeld Airways", "Brindlemere Foods", "Havelstrom Brands", "Arcuvane Robotics",
    "Noxarel Semiconductor", "Ferrowyn Devices", "Grevold Energy", "Sundvale Telecom",
)  # fmt: skip
SECTORS = {
    "Castlereach Bancorp": "Banks", "Pellworth Group": "Banks", "Velundra Motors": "Cars",
    "Noxarel Semiconductor": "Chips", "Arcuvane Robotics": "Chips",
}  # fmt: skip
PUBLISHERS = (
    "wire.example", "marketdesk.example", "thecourier.example", "ledger.example", "harbourpost.example",
    "eastfinance.example", "tradeweek.example", "openledger.example",
)  # fmt: skip
# topic, title, usual score
ROUTINE = (
    ("Earnings", "{} reports third-quarter profit above forecasts", 0.7),
    ("Earnings", "{} trims full-year outlook on weak demand", -0.6),
    ("Company | Product News", "{} opens a second plant in the north", 0.4),
    ("Company | Product News", "{} to present new product line in May", 0.1),
    ("Analyst Update", "Brokers raise price target for {}", 0.6),
    ("Analyst Update", "{} cut to hold at Merrow Research", -0.5),
    ("Stock Movement", "{} shares edge higher in thin trade", 0.3),
    ("Stock Movement", "{} shares slip as sector falls", -0.4),
    ("Dividend", "{} keeps dividend unchanged", 0.05),
    ("Personnel Change", "{} names new finance chief", 0.0),
    ("M&A | Investments", "{} weighs sale of its logistics arm", 0.05),
)
MARKET = (
    ("Fed | Central Banks", "Rate setters see no hurry to move", 0.0),
    ("Macro", "Factory orders rise for a third month", 0.5),
    ("Macro", "Jobless claims climb more than expected", -0.5),
    ("Energy | Oil", "Crude holds steady ahead of stock data", 0.0),
    ("Currencies", "Krona firms against the euro", 0.1),
    ("Markets", "Stocks drift in quiet session", 0.0),
    ("Treasuries | Corporate Debt", "Long bonds ease after auction", -0.1),
    ("Gold | Metals | Materials", "Copper steadies near six-week high", 0.2),
    ("General News | Opinion", "What investors should watch this week", 0.0),
)
RUN = (
    "Depositors queue outside Castlereach Bancorp branches",
    "Castlereach Bancorp shares halted after 31% plunge",
    "Castlereach Bancorp asks central bank for emergency liquidity",
    "Ratings agency cuts Castlereach Bancorp to junk",
    "Castlereach Bancorp limits withdrawals as run deepens",
    "Rivals cut credit lines to Castlereach Bancorp",
)
AFTER = (", regulator silent", ", deposits down a fifth", ", minister to speak", ", rivals watch")


@dataclass(frozen=True, slots=True)
class Piece:
    """One item to be."""

    at: datetime
    title: str
    topic: str | None
    score: float | None
    company: str | None = None
    publisher: str = PUBLISHERS[0]
    language: str = "en"
    risk: RiskMatch | None = None
    url: str | None = ""
    date_status: DateStatus = DateStatus.OK


def hostile(trap_url: str) -> list[Piece]:
    """Return items whose titles try to become markup, a beacon, a formula and a link of another kind."""
    risk = RiskMatch("fine", "regulatory_fine", 4, "confirmed", "![](" + trap_url + "/quote.png)")
    name = NAMES[11]
    titles = (
        f"<script>fetch('{trap_url}/script')</script> {name} fined",
        f"{name} fined ![]({trap_url}/title.png) <img src={trap_url}/img.png>",
        f"=cmd|' /C calc'!A0 {name} fined [click]({trap_url}/link) $x^2$ :material/home: :red[x]",
    )
    urls = ("javascript:alert(1)", f"{trap_url}/article", None)
    return [
        Piece(
            END - timedelta(minutes=3 + at),
            title,
            "Legal | Regulation",
            -0.9,
            name,
            f"<b>{at}</b>.example",
            risk=risk,
            url=url,
        )
        for at, (title, url) in enumerate(zip(titles, urls, strict=True))
    ]


def pieces(seed: int = 7, scale: float = 1.0) -> list[Piece]:
    """Return the whole story, oldest first; ``scale`` multiplies the quiet days."""
    found = [*_quiet(random.Random(seed), scale), *_trouble(random.Random(seed + 1))]
    return sorted(found, key=lambda piece: (piece.at, piece.title))


def fill(store: Store, folder: Path, story: Sequence[Piece], end: datetime = END) -> None:
    """Put a story through the real stages, as a replay that has reached ``end``."""
    watched = {company_slug(name): name for name in NAMES}
    with store.write() as connection:
        known = [Company(key, name, sector=SECTORS.get(name)) for key, name in watched.items()]
        companies.replace(connection, known, EPOCH)
    metrics, wall = Metrics(), _Fixed()
    broker = open_broker(LocalStreamSettings(path=folder / "streams.db"))
    broker.create({"news.articles": 1, "news.classified": 1, "alerts": 1})
    stage = AggregateStage(StoryRule().concerns, wall.now, metrics)
    for begin in range(0, len(story), 1000):
        part = [item_of(piece) for piece in story[begin : begin + 1000]]
        batch = [
            Input(
                Classified(item, Origin(0, begin + at)),
                Record("news.classified", 0, begin + at, item.article.id, b"", 0),
            )
            for at, item in enumerate(part)
        ]
        _write(store, stage.process(batch).write)
    with store.write() as connection:
        beat = wall.now()
        progress.save(
            connection,
            Progress("collect", "news.articles", 0, through_at=end, replay=True, beat_at=beat),
        )
    book = rule_book(lambda: RuleSet((StoryRule(),), (SurgeRule(),)), None, wall, metrics)
    alert = AlertStage(store, broker, book, Names(watched, {}), "seed", wall, wall, metrics)
    for _ in range(50):
        effects = alert.process(())
        if effects.write is None and not effects.outputs:
            break
        _write(store, effects.write)
        if effects.after:
            effects.after()
    with store.write() as connection:
        for found in alerts.unresolved(connection, OPEN_STATES):
            draft = outbox.Draft(
                f"{found.id}:fired:console", "console", found.id, found.title, "", {}, outbox.RECORDED,
                "a replay sends nothing",
            )  # fmt: skip
            outbox.add(connection, draft, found.decided_at)
    broker.close()


def surroundings(store: Store, folder: Path, trap_url: str) -> Path:
    """Write what a desk has around its database; return the file of the settings.

    Sources of which one fails and one was never visited, relations between companies, and a backtest whose
    headlines are hostile.
    """
    rows = "".join(f"{name},{SECTORS.get(name, '')}\n" for name in NAMES)
    (folder / "watchlist.csv").write_text(f"name,sector\n{rows}", "utf-8")
    bank, car, group, chip = NAMES[0], NAMES[2], NAMES[4], NAMES[9]
    relations = f"{bank},lender,{car}\n{bank},peer,{group}\n{chip},supplier,{bank}\n"
    (folder / "relations.csv").write_text(f"from,kind,to\n{relations}", "utf-8")
    sources = "".join(
        f'[[sources]]\nname = "{name}"\nlocation = "https://{name}.example/rss"\ninterval_s = 300\n'
        for name in ("seed", "broken", "forgotten")
    )
    path = folder / "foreshock.toml"
    path.write_text(
        f'[watchlist]\npath = "{folder}/watchlist.csv"\nrelations = "{folder}/relations.csv"\n'
        f'[web]\nlogin = false\nbacktests = "{folder}/backtests"\n{sources}',
        "utf-8",
    )
    beacon = f"<img src={trap_url}/error.png> ![]({trap_url}/error.md)"
    with store.write() as connection:
        for at in range(3):
            moment = END - timedelta(minutes=5 * (3 - at))
            ended = [
                Visit("seed", moment, 4),
                Visit("broken", moment, 0, f"https://broken.example/rss: HTTP 500 {beacon}"),
            ]
            visits.save(connection, ended)
        letter = DeadItem(
            DeadReason.BAD_FEED, beacon, f"https://broken.example/{beacon}", beacon, "collect", END
        )
        dead.add(connection, [(letter, None)])
    _backtest(store, folder / "backtests" / "march", f"{beacon} bank run")
    return path


def _backtest(store: Store, folder: Path, headline: str) -> None:
    """Write what `foreshock backtest` would of this story."""
    told = tuple(
        Told(alert, alert.event, "fired", alert.decided_at, alert.evidence[0])
        for alert in reversed(alerts.latest(store))
        if alert.evidence
    )
    families = frozenset(each.family for each in told)
    begins = END - timedelta(days=DAYS)
    events = tuple(
        ExpectedEvent(company_slug(name), name, kind, families, END - timedelta(hours=hours), headline)
        for name, kind, hours in (
            (NAMES[0], "bank run", 7.2), (NAMES[2], "recall", 10), (NAMES[5], "breach", 3.3),
            (NAMES[1], "bankruptcy", 40), (NAMES[11], "fine", 0.2),
        )
    )  # fmt: skip
    window = Window("march", begins, END, 2_400, told, events)
    total = score([window], len(NAMES))
    folder.mkdir(parents=True)
    result = as_result([window], {"march": total}, total)
    (folder / RESULT).write_text(json.dumps(result), "utf-8")
    judged = {each.alert.id: ("true" if at % 4 else "false", "") for at, each in enumerate(told)}
    save_verdicts(folder / VERDICT_FILE, judged)


def company_slug(name: str) -> str:
    """Return a company's id."""
    return name.lower().replace(" ", "-")


def item_of(piece: Piece) -> ClassifiedArticle:
    """Return a piece as the classifier would."""
    url = piece.url
    if url == "":
        url = f"https://{piece.publisher}/{digest(f'{piece.title}{piece.at}')[:12]}"
    article = Article(
        id=article_id(url, None, "seed", piece.title, piece.at),
        revision=revision_of(piece.title, ""),
        source="seed",
        publisher=piece.publisher,
        url=url,
        title=piece.title,
        lead="",
        language=piece.language,
        published_at=piece.at,
        ingested_at=piece.at + timedelta(seconds=20),
        date_status=piece.date_status,
    )
    mentions: tuple[Mention, ...] = ()
    if piece.company is not None:
        start = max(0, piece.title.find(piece.company))
        mentions = (
            Mention(
                company_slug(piece.company),
                piece.company,
                "title",
                start,
                start + len(piece.company),
            ),
        )
    score = piece.score
    sentiment = None
    if score is not None:
        sentiment = "negative" if score < -0.25 else "positive" if score > 0.25 else "neutral"
    return ClassifiedArticle(
        article=article,
        topic=piece.topic,
        topic_probability=None if piece.topic is None else 0.93,
        sentiment=sentiment,
        sentiment_probability=None if sentiment is None else 0.9,
        score=score,
        mentions=mentions,
        risks=() if piece.risk is None else (piece.risk,),
        model_version="seed",
        bundle_hash="0" * 16,
        classified_at=piece.at + timedelta(seconds=21),
    )


def _quiet(dice: random.Random, scale: float) -> Iterator[Piece]:
    begin = END.replace(hour=0, minute=0) - timedelta(days=DAYS)
    while begin < END:
        for hour in range(24):
            base = 9.0 if 7 <= hour <= 18 else 2.5
            pace = scale * (base if begin.weekday() < 5 else base / 4)
            for _ in range(round(dice.gauss(pace, pace**0.5))):
                at = begin + timedelta(hours=hour, seconds=dice.randrange(3600))
                if at <= END:
                    yield _routine(dice, at)
        begin += timedelta(days=1)


def _routine(dice: random.Random, at: datetime) -> Piece:
    publisher = dice.choice(PUBLISHERS)
    number = f" ({dice.randrange(10**6):06d})" if dice.random() < 0.2 else ""
    if dice.random() < 0.45:
        # Some are written about far more often than others; one hardly ever.
        company = NAMES[min(len(NAMES) - 2, int(dice.expovariate(0.28)))]
        topic, title, score = dice.choice(ROUTINE)
        text = title.format(company) + number
    else:
        company = None
        topic, text, score = dice.choice(MARKET)
        text += number
    noisy = max(-0.98, min(0.98, dice.gauss(score, 0.22)))
    return Piece(at, text, topic, noisy, company, publisher)


def _trouble(dice: random.Random) -> Iterator[Piece]:
    bank, car, chip, air = NAMES[0], NAMES[2], NAMES[9], NAMES[5]
    at = END - timedelta(hours=7)
    rumour = RiskMatch("bank_run", "bank_run", 5, "rumour", "said to face withdrawals")
    yield Piece(
        at, f"{bank} said to face withdrawals, traders say", "Financials", -0.62, bank, PUBLISHERS[3],
        risk=rumour,
    )  # fmt: skip
    for step in range(26):
        at = END - timedelta(hours=5) + timedelta(minutes=11 * step + dice.randrange(8))
        title = RUN[step % len(RUN)]
        if step >= len(RUN):
            title = f"UPDATE {step // len(RUN)}-{title}{AFTER[step // len(RUN) - 1]}"
        risk = (
            RiskMatch("bank_run", "bank_run", 5, "confirmed", "withdrawals")
            if "raw" in title
            else None
        )
        if "emergency" in title:
            risk = RiskMatch(
                "emergency_liquidity", "emergency_liquidity", 4, "confirmed", "emergency liquidity"
            )
        yield Piece(
            at, title, "Financials", dice.uniform(-0.97, -0.7), bank, PUBLISHERS[step % len(PUBLISHERS)],
            risk=risk,
        )  # fmt: skip
    recall = RiskMatch("recall", "product_recall", 3, "confirmed", "recalls 210,000 vehicles")
    for hours, publisher in ((9.5, PUBLISHERS[0]), (9.1, PUBLISHERS[4]), (8.0, PUBLISHERS[6])):
        yield Piece(
            END - timedelta(hours=hours),
            f"{car} recalls 210,000 vehicles over brake fault",
            "Company | Product News", -0.81, car, publisher, risk=recall,
        )  # fmt: skip
    breach = RiskMatch("data_breach", "data_breach", 4, "confirmed", "customer records stolen")
    yield Piece(
        END - timedelta(hours=3.2), f"{air} says customer records stolen in attack",
        "Company | Product News", -0.86, air, PUBLISHERS[1], risk=breach,
    )  # fmt: skip
    denied = RiskMatch("data_breach", "data_breach", 4, "denied", "denies")
    yield Piece(
        END - timedelta(hours=1.2), f"{air} denies payment data was taken", "Company | Product News",
        -0.2, air, PUBLISHERS[2], risk=denied,
    )  # fmt: skip
    for minutes in (300, 131, 12):
        at = END - timedelta(minutes=minutes)
        yield Piece(at, "诺克瑞尔半导体宣布扩建新厂", None, None, chip, PUBLISHERS[5], "zh")
    old = RiskMatch("insolvency", "insolvency", 5, "confirmed", "files for bankruptcy")
    yield Piece(
        END - timedelta(minutes=95), f"{NAMES[6]} files for bankruptcy", "Legal | Regulation", -0.9,
        NAMES[6], PUBLISHERS[7], risk=old, date_status=DateStatus.STALE,
    )  # fmt: skip


class _Fixed:
    """A clock that stands at the end of the story; heartbeats are of now."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def _write(store: Store, write: object) -> None:
    if callable(write):
        with store.write() as connection:
            write(connection)
