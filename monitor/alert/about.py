"""Whom an event happened to: which of the companies that an item names, by where they stand in it.

Words, not grammar: a company that only speaks, that does to others what is told, or that stands in another
sentence than the event, is not the one. What a bid is for stands behind the words, whose shares plunge
before them.
"""

from __future__ import annotations

import re

from monitor.domain import ClassifiedArticle, Mention, RiskMatch

BEHIND_CHARS = 12  # between the words of an event and the company that it happens to
BEFORE_CHARS = 20


def subjects(item: ClassifiedArticle) -> tuple[str, ...]:
    """Return the companies an item is about: those in its title, else those in its lead."""
    titled = tuple(
        dict.fromkeys(mention.company_id for mention in item.mentions if mention.field == "title")
    )
    return titled or item.company_ids


def concerned(item: ClassifiedArticle, risk: RiskMatch, where: str = "any") -> tuple[str, ...]:
    """Return the companies that an event happened to, of those that the item is about."""
    found = tuple(
        company_id
        for company_id in subjects(item)
        if not _only_speaks(item, company_id)
        and not _elsewhere(item, risk, company_id)
        and not _is_actor(item, risk, company_id)
        and not _stands_by(item, risk, company_id)
    )
    if where == "any" or not risk.words:
        return found
    near = {
        mention.company_id
        for mention in item.mentions
        if (text := _field(item, mention))
        and (at := text.find(risk.words)) >= 0
        and _is_near(text, mention, at, at + len(risk.words), where)
    }
    return tuple(company_id for company_id in found if company_id in near)


def _field(item: ClassifiedArticle, mention: Mention) -> str:
    return item.article.title if mention.field == "title" else item.article.lead


def _is_near(text: str, mention: Mention, start: int, end: int, where: str) -> bool:
    """Say whether a mention stands right before, or right behind, the words of an event."""
    if where == "before":
        return mention.start <= start and start - mention.end <= BEFORE_CHARS
    behind = 0 <= mention.start - end <= BEHIND_CHARS
    return behind and _ENDS.match(text, mention.end) is not None


def _titled(item: ClassifiedArticle, company_id: str) -> list[Mention]:
    return [m for m in item.mentions if m.company_id == company_id and m.field == "title"]


def _elsewhere(item: ClassifiedArticle, risk: RiskMatch, company_id: str) -> bool:
    """Say whether the event is told in an earlier sentence than the company, or of the name behind it.

    "X says CEO resigned; gets Acme notice" and "Acme mulls bid for insolvent Brown" are no news of Acme.
    """
    at = item.article.title.find(risk.evidence)
    mine = _titled(item, company_id)
    if at < 0 or not mine:
        return False
    end = at + len(risk.evidence)
    return all(mention.start >= end for mention in mine) or _describes_another(item, risk)


def _describes_another(item: ClassifiedArticle, risk: RiskMatch) -> bool:
    title = item.article.title
    at = title.find(risk.words)
    if at < 0 or not risk.words or risk.words.split()[-1].casefold() not in _DESCRIBES:
        return False
    named = _OF_ANOTHER.match(title, at + len(risk.words))
    return named is not None and all(m.start != named.start(1) for m in item.mentions)


def _only_speaks(item: ClassifiedArticle, company_id: str) -> bool:
    """Say whether a title names a company only as who said it.

    "... could default - Acme Bank"; "Acme Bank chief economist calls for bailout".
    """
    title = item.article.title
    return all(
        mention.field == "title"
        and (
            (
                len(title) - mention.end <= 2
                and _SAID_BY.search(title, max(0, mention.start - 4), mention.start) is not None
            )
            or _ECONOMIST.match(title, mention.end) is not None
        )
        for mention in item.mentions
        if mention.company_id == company_id
    )


def only_locates(item: ClassifiedArticle, state_id: str) -> bool:
    """Say whether a title names a state only to say where somebody else is ("Utopia's Acme Bank")."""
    title = item.article.title
    mine = _titled(item, state_id)
    return bool(mine) and all(_OWN.match(title, mention.end) for mention in mine)


def _stands_by(item: ClassifiedArticle, risk: RiskMatch, company_id: str) -> bool:
    """Say whether a title names a company only as one of several examples, or as who is owed.

    "Brown joins lenders, including Acme, in Chapter 11 plan"; "Brown fails to pay Acme".
    """
    title = item.article.title
    mine = _titled(item, company_id)
    at = title.find(risk.words) if risk.words else -1
    owed = at + len(risk.words) + 1 if at >= 0 and _TO_PAY.search(risk.words) else -1
    return bool(mine) and all(
        mention.start == owed or _SUCH_AS.search(title, max(0, mention.start - 60), mention.start)
        for mention in mine
    )


def _is_actor(item: ClassifiedArticle, risk: RiskMatch, company_id: str) -> bool:
    """Say whether a company does to others what the words tell ("Acme sues Brown", "Acme probes flaw")."""
    verb = risk.words.split(" ", 1)[0]
    title = item.article.title
    mine = _titled(item, company_id)
    return (
        verb.casefold() in _DONE_TO_OTHERS
        and bool(mine)
        and all(
            title[mention.end :].startswith((f" {verb}", f" says {verb}", f" is {verb}"))
            for mention in mine
        )
    )


def is_cause(risk: RiskMatch, other: RiskMatch) -> bool:
    """Say whether a match only tells why another came about ("CEO leaves after breach")."""
    if risk is other or risk.evidence != other.evidence or not risk.words or not other.words:
        return False
    start, first = risk.evidence.find(risk.words), other.evidence.find(other.words)
    between = risk.evidence[first + len(other.words) : start]
    return 0 <= first < start and _CAUSE.search(between) is not None


_ECONOMIST = re.compile(
    r"(?:'s)?(?: \w+)? (?:chief economist|economists?|strategists?|analysts?)\b(?! (?:fired|suspended))"
)
# "including Acme", "such as Acme and", "including Brown and Acme"
_SUCH_AS = re.compile(
    r"\b(?:[Ii]ncluding|[Ss]uch [Aa]s|[Aa]mong [Tt]hem)(?: [A-Z][\w&.]+,?){0,4}?(?: and)? $"
)
_OWN = re.compile(r"'s [A-Z]")
_TO_PAY = re.compile(r"\b(?:re)?pay$", re.IGNORECASE)
_SAID_BY = re.compile(r"(?: -{1,2} ?|: )$")
# What may follow the name of a company that is the object; another noun makes it a part of it or a product.
_ENDS = re.compile(
    r"(?!;?'s)(?: (?:inc|corp|co|plc|ltd|group|ag|sa|&|and))*\.?"
    r"(?:$|[,.;:)?!-]| (?:for|in|at|as|after|with|on|by|to|amid|despite|over|deal|bid|says?|said)\b| [-(])",
    re.IGNORECASE,
)
_DONE_TO_OTHERS = frozenset({
    "accuses", "charges", "fines", "investigates", "investigating", "probes", "raids", "sues", "sued",
})  # fmt: skip
_DESCRIBES = frozenset({"bankrupt", "insolvent", "troubled", "failed", "failing"})
_OF_ANOTHER = re.compile(r" ([A-Z][\w&.]+)")
_CAUSE = re.compile(
    r"\b(?:after|over|amid|following|due to|because of|wake of|on)\b", re.IGNORECASE
)
