"""A bundle that is to take the place of the one in use, while it is in use: load it, and see that it can.

Nothing of the champion is touched: whoever calls this goes on with it, and exchanges the two when the
challenger is returned.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from models.bundle import MANIFEST, Bundle, load_bundle
from models.classifier import Classifier
from models.engines.choice import choose_engine
from models.errors import BundleError, ModelError
from models.labels import EMBEDDING, HeadKind
from models.text import model_input

REASONS = ("missing", "corrupt", "labels", "answers", "slower")
SLOWEST = 1.5  # times as long as the champion
ROUNDS, MOST_ROUNDS = 3, 20
# Different in topic and tone, so that a model that answers all of them alike has not learnt anything.
PROBES = {
    "en": (
        "Bank files for bankruptcy after run on deposits",
        "Profit doubles as sales beat expectations",
        "Chief executive steps down after fraud probe",
        "Gold steady as traders wait for central bank",
        "Carmaker recalls 400,000 vehicles over fire risk",
        "Dividend raised by a tenth after record year",
        "Oil falls below 60 dollars a barrel on oversupply",
        "Airline shares jump on merger talks",
        "Analysts cut rating to sell, see weak demand",
        "Company to present at investor conference in May",
        "Drug maker wins approval for cancer treatment",
        "Hackers steal data of two million customers",
        "Central bank keeps interest rates unchanged",
        "Retailer to close 120 stores and cut 4,000 jobs",
        "Chipmaker signs ten-year supply agreement",
        "Court fines lender 300 million over money laundering",
    ),
    "zh": (
        "公司申请破产保护,债券违约",
        "净利润同比增长一倍,超出预期",
        "董事长因涉嫌内幕交易被立案调查",
        "黄金价格持平,投资者等待央行决议",
        "汽车厂商召回四十万辆汽车",
        "公司宣布派发现金红利",
        "原油价格大跌",
        "两家航空公司洽谈合并,股价大涨",
    ),
}
_PADDING = (
    " The company said so in a statement on Tuesday, without giving further details of its plans."
)


class ChallengerRefused(ModelError):
    """A bundle cannot take the champion's place; ``reason`` is one of `REASONS`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def challenge(
    folder: Path,
    expected: str | None,
    champion: Classifier,
    engine: str = "auto",
    threads: int | None = None,
    slowest: float = SLOWEST,
) -> Classifier:
    """Load a bundle that may take the place of another, warmed up.

    Parameters
    ----------
    folder
        Its folder.
    expected
        The hash that it had when somebody chose it; ``None``: whichever it has.
    champion
        What serves now; it may be busy meanwhile, and is asked a few texts as well, to compare the time.
    engine, threads
        As of `Classifier.load`.
    slowest
        How many times as long as the champion it may take over the same texts; infinite: it is not asked.

    Raises
    ------
    ChallengerRefused
        It is not there, damaged, of other labels or languages, gives no sense, or is too slow.
    """
    if not (folder / MANIFEST).is_file():
        raise ChallengerRefused("missing", f"{folder}: no bundle there (no {MANIFEST})")
    try:
        bundle = load_bundle(folder)
    except BundleError as error:
        raise ChallengerRefused("corrupt", str(error)) from error
    if expected is not None and bundle.hash != expected:
        raise ChallengerRefused(
            "corrupt",
            f"{folder}: its hash begins {bundle.hash[:12]}, the bundle that was chosen had {expected[:12]}",
        )
    _same_questions(champion, bundle)
    try:
        chosen, reason = choose_engine(bundle, engine, threads)
        challenger = Classifier(bundle, chosen, reason)
        texts = _texts(bundle.languages)
        _makes_sense(challenger, texts)
        ratio = _slowness(challenger, champion, texts, slowest)
    except ChallengerRefused:
        raise
    except Exception as error:  # whatever its graph makes the engine raise, the champion goes on
        raise ChallengerRefused("corrupt", f"{folder}: {type(error).__name__}: {error}") from error
    if ratio > slowest:
        raise ChallengerRefused(
            "slower",
            f"{folder}: takes {ratio:.2f} times as long as {champion.bundle.model_version}; "
            f"at most {slowest:g} is allowed",
        )
    return challenger


def _same_questions(champion: Classifier, bundle: Bundle) -> None:
    for head, labels in champion.bundle.labels.items():
        found = bundle.labels.get(head)
        if found is None or set(found) != set(labels):
            other = "has no such head" if found is None else f"knows {', '.join(found)}"
            raise ChallengerRefused(
                "labels",
                f"{bundle.folder}: head {head!r} of {champion.bundle.model_version} knows "
                f"{', '.join(labels)}; {bundle.model_version} {other}",
            )
    missing = set(champion.bundle.languages) - set(bundle.languages)
    if missing:
        raise ChallengerRefused(
            "labels", f"{bundle.folder}: does not read {', '.join(sorted(missing))}"
        )


def _texts(languages: tuple[str, ...]) -> list[str]:
    """Return probes that one of the languages has; those of all where none has any."""
    chosen = [text for code in languages for text in PROBES.get(code, ())]
    chosen = chosen or [text for texts in PROBES.values() for text in texts]
    return [model_input(text, lead) for lead in ("", _PADDING) for text in chosen]


def _makes_sense(challenger: Classifier, texts: list[str]) -> None:
    """See that its answers are numbers, and not the same to everything."""
    outputs = challenger.outputs(texts)
    kinds = {head.name: head.kind for head in challenger.bundle.heads}
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            raise ChallengerRefused("answers", f"{name}: answers that are not numbers")
        if name == EMBEDDING or kinds[name] is not HeadKind.SINGLE:
            continue
        if len(set(values.argmax(axis=1).tolist())) == 1:
            raise ChallengerRefused(
                "answers", f"{name}: one answer to {len(texts)} different texts"
            )


def _slowness(
    challenger: Classifier, champion: Classifier, texts: list[str], enough: float
) -> float:
    """Return how many times as long the challenger takes: the best rounds of each, taken in turn.

    The machine is busy with serving: there are more rounds as long as it seems to take ``enough`` or more.
    """
    best = {challenger: float("inf"), champion: float("inf")}
    for number in range(MOST_ROUNDS):
        for classifier in best:
            begin = time.perf_counter()
            classifier.outputs(texts)
            best[classifier] = min(best[classifier], time.perf_counter() - begin)
        if number + 1 >= ROUNDS and best[challenger] < enough * best[champion]:
            break
    return best[challenger] / best[champion]
