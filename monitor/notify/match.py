"""What routes, inhibitions and silences match: the labels of an alert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.alert.states import rules_of
from monitor.domain import Alert, Company

LABELS = (
    *("alert", "kind", "dimension", "key", "company", "event", "family", "severity", "state"),
    *("group", "sector", "country", "rule"),
)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label and the values that fit.

    Parameters
    ----------
    label
        One of `LABELS`.
    values
        The label fits when one of its values is one of these, whatever the case.
    least
        For ``severity``: it fits from here on.
    negated
        Turn the answer round; an alert without the label then fits.
    """

    label: str
    values: frozenset[str]
    least: int | None = None
    negated: bool = False

    def fits(self, labels: Mapping[str, frozenset[str]]) -> bool:
        found = labels.get(self.label, frozenset())
        if self.least is not None:
            return any(int(value) >= self.least for value in found)
        return bool(found & self.values) != self.negated

    def __str__(self) -> str:
        if self.least is not None:
            return f"{self.label}>={self.least}"
        return f"{self.label}{'!=' if self.negated else '='}{'|'.join(sorted(self.values))}"


def read_matcher(label: str, wanted: object) -> Matcher:
    """Return the matcher of a label and what a file or a command line says of it.

    Parameters
    ----------
    label
        One of `LABELS`.
    wanted
        A value, a list of values, ``!VALUE``, or for severity ``>=4``.

    Raises
    ------
    ValueError
        What is wrong, in words that can follow the place.

    Examples
    --------
    >>> read_matcher("severity", ">=4").fits({"severity": frozenset({"5"})})
    True
    >>> str(read_matcher("group", ["Rates", "credit"])), str(read_matcher("kind", "!surge"))
    ('group=credit|rates', 'kind!=surge')
    """
    if label not in LABELS:
        raise ValueError(f"unknown label `{label}`; labels are {', '.join(LABELS)}")
    values = wanted if isinstance(wanted, list) else [wanted]
    texts = [str(value).strip().casefold() for value in values]
    if not all(texts):
        raise ValueError(f"`{label}` has no value; write one, or a list")
    if label == "severity" and len(texts) == 1 and texts[0].startswith(">="):
        least = texts[0].removeprefix(">=").strip()
        if least not in ("1", "2", "3", "4", "5"):
            raise ValueError(f"`severity` {wanted!r} must be >= a number from 1 to 5")
        return Matcher(label, frozenset(), int(least))
    if label == "severity" and not set(texts) <= {"1", "2", "3", "4", "5"}:
        raise ValueError(f'`severity` {wanted!r} must be from 1 to 5, or ">=4"')
    negated = [text.startswith("!") for text in texts]
    if any(negated) and not all(negated):
        raise ValueError(f"`{label}` mixes values with and without `!`; use two routes")
    return Matcher(label, frozenset(text.removeprefix("!") for text in texts), None, negated[0])


def fits_all(matchers: Iterable[Matcher], labels: Mapping[str, frozenset[str]]) -> bool:
    """Say whether every matcher fits; with none, everything does."""
    return all(matcher.fits(labels) for matcher in matchers)


def labels_of(
    alert: Alert, company: Company | None = None, family: str | None = None
) -> dict[str, frozenset[str]]:
    """Return an alert's labels, each with its values in lower case.

    Parameters
    ----------
    company
        The watched company that the alert is on.
    family
        Of the alert's event, as the risk pack says.
    """
    labels: dict[str, Iterable[str | None]] = {
        "alert": [alert.id],
        "kind": [alert.kind.value],
        "dimension": [alert.dimension.value],
        "key": [alert.key],
        "event": [alert.event],
        "family": [family],
        "severity": [str(alert.severity)],
        "state": [alert.state.value],
        "rule": rules_of(alert),
    }
    if company is not None:
        labels["company"] = [company.id, company.name]
        labels["group"] = company.groups
        labels["sector"] = [company.sector]
        labels["country"] = [company.country]
    found = {
        label: frozenset(value.casefold() for value in values if value)
        for label, values in labels.items()
    }
    return {label: values for label, values in found.items() if values}
