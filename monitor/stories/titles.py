"""What a wire title says besides the news: the number of an update, a correction, a withdrawal, a repeat.

Wires put their housekeeping around the headline (`UPDATE 2-`, `CORRECTED-`, `REFILE-`, ` - source`,
` | Outlet`). Two reports are compared by the bare title, which is the headline without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from monitor.entities.fold import fold

_DASH = r"\s*[-:\u2013\u2014]+\s*"
_PREFIX = re.compile(
    r"\s*(?:"
    rf"[(\[]?(?:update|wrapup|wrap-up)\s*(?P<number>\d{{1,2}})?[)\]]?{_DASH}"
    rf"|(?P<corrected>[(\[]?(?:corrected|correction|corrects)[)\]]?(?:{_DASH}|(?<=[)\]])\s+))"
    rf"|(?P<withdrawn>[(\[]?(?:withdrawn|retracted|story withdrawn|story retracted)[)\]]?"
    rf"(?:{_DASH}|(?<=[)\]])\s+))"
    rf"|(?P<repeat>(?:refile|rpt|repeat){_DASH})"
    rf"|(?:brief|exclusive|breaking(?: news)?|just in|newsbreak|snapshot|flash){_DASH}"
    rf"|\(advisory\)\s*|advisory{_DASH}"
    r"|(?P<zh_corrected>[\[(\u3010]?更正(?:[\])\u3011]:?|:)\s*)"
    r"|[\[(\u3010](?:更新|快讯|重磅|独家|突发)[\])\u3011]\s*(?:快讯\s*[::]?\s*)?|(?:快讯|独家|突发)\s*[::]\s*"
    r")"
)
_OFFICIAL = re.compile(r"\s*\(official\)", re.IGNORECASE)
# "(Adds detail)", "(corrects number in headline)": what an editor says of the revision.
_EDITED = re.compile(
    r"\s*\((?P<what>corrects?|corrected|adds?|refiles?|repeats?|updates?) [^()]*\)", re.IGNORECASE
)
_SUFFIX = re.compile(
    rf"(?:{_DASH}(?:\w+ )?(?:sources?|source says|sources say|media|reports?|papers?)"
    r"|\s+-\s?(?:wsj|ft|nyt|cnbc|bbc|bloomberg|nikkei|dj|sky news|paper|tv)"
    # An outlet's name is a few words behind a bar or a spaced dash.
    r"|\s+\|\s+(?P<behind>[^|]{2,40})"
    r"|\s+[-\u2013\u2014]\s+(?P<outlet>(?:the )?(?:[\w.&']+ ){0,3}?"
    r"(?:[\w']+\.(?:com|net|org|cn)|reuters|bloomberg|news|times|post|journal|herald|tribune|guardian"
    r"|telegraph|gazette|chronicle|mail|observer|press|daily|wire|magazine|today|tv|radio|week)))\s*$"
)
_WITHDRAWN = re.compile(
    # Nothing may follow: "report says troops will be withdrawn" and "withdraws troops: report" are news.
    r"(?<!audit )(?<!auditor's )(?<!financial )\b(?:story|stories|report|article|headline|alert)s?"
    r"(?: (?:on|of|about) [^,;:]{1,50}?)?(?: (?:is|are|was|were|has been|have been))?"
    r" (?:withdrawn|retracted)\W*$"
    r"|\b(?:withdraws?|withdrew|retracts?|retracted) (?:(?!audit\b|financial\b)[\w']+ ){0,3}?"
    r"(?:story|report|article|headline)\b"
    r"|撤稿|(?:报道|快讯|稿件)[^。;,]{0,8}撤回|撤回[^。;,]{0,20}(?:报道|快讯|稿件)"
)
_DRAWN = re.compile("draw|drew|retract|撤")
_MARK = re.compile(r"[-:|\u2013\u2014]")  # one stands before every suffix
_UNNAMED = re.compile(r"\bsources?(?: says?)?$")
# Chinese writes no spaces: there a character counts as a word.
_WORD = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class WireTitle:
    """A title taken apart.

    ``bare`` is folded (lower case, plain punctuation) and is for comparison, not for people. ``update`` is
    the number of an update or wrap-up, ``None`` where the title gives none.
    """

    bare: str
    update: int | None = None
    corrected: bool = False
    withdrawn: bool = False
    repeat: bool = False


def read_title(title: str) -> WireTitle:
    """Return the bare title and its marks. A title that is all marks keeps its words.

    Examples
    --------
    >>> read_title("CORRECTED-UPDATE 1-Acme recalls 5,000 cars - source")
    WireTitle(bare='acme recalls 5,000 cars', update=1, corrected=True, withdrawn=False, repeat=False)
    >>> read_title("RPT-Acme sues rival | The Daily Outlet")
    WireTitle(bare='acme sues rival', update=None, corrected=False, withdrawn=False, repeat=True)
    >>> read_title("硬氪首发 | 某公司完成数亿元融资").bare, read_title("某公司完成数亿元融资 | 硬氪首发").bare
    ('硬氪首发 | 某公司完成数亿元融资', '某公司完成数亿元融资')
    >>> read_title("(ADVISORY) Acme bankruptcy story withdrawn").withdrawn
    True
    """
    text = " ".join(title.split())
    whole = fold(text)
    edits: list[str] = []
    if "(" in text:
        text = _OFFICIAL.sub("", text)
        edits = [edited["what"].lower() for edited in _EDITED.finditer(text)]
        text = _EDITED.sub("", text)
    rest = _without_suffixes(text)
    update: int | None = None
    corrected = any(edit.startswith("correct") for edit in edits)
    repeat = any(edit.startswith(("refile", "repeat")) for edit in edits)
    # Every title is read: what all withdrawals have is looked for first.
    withdrawn = _DRAWN.search(whole) is not None and _WITHDRAWN.search(whole) is not None
    while (found := _PREFIX.match(rest)) and found.end() < len(rest):
        if found["number"]:
            update = max(update or 0, int(found["number"]))
        corrected = corrected or bool(found["corrected"] or found["zh_corrected"])
        withdrawn = withdrawn or bool(found["withdrawn"])
        repeat = repeat or bool(found["repeat"])
        rest = rest[found.end() :]
    return WireTitle(rest.strip() or whole, update, corrected, withdrawn, repeat)


def origin_of(title: str) -> str:
    """Return whom a title names behind a dash as its source, folded; empty where it names nobody.

    Examples
    --------
    >>> origin_of("Regulator asks Acme to cut bad loans - paper"), origin_of("Acme recalls 5,000 cars")
    ('paper', '')
    >>> origin_of("Acme near settlement -sources"), origin_of("Acme near settlement: bank source says")
    ('source', 'source')
    """
    found = _SUFFIX.search(fold(title).rstrip())
    named = found[0].strip(" -:|\u2013\u2014") if found else ""
    return "source" if _UNNAMED.search(named) else named.removesuffix("s")


def _without_suffixes(text: str) -> str:
    """Return the folded text without what names its source; an outlet's name begins with a capital."""
    rest = fold(text)  # as long as the text
    while _MARK.search(rest) and (found := _SUFFIX.search(rest)) and found.start() > 0:
        outlet = found["outlet"]
        if outlet and text[found.start("outlet")].islower():
            break
        # "硬氪首发 | 某公司完成融资": before the bar stands the column, behind it the news.
        if found["behind"] and _length(found["behind"]) > _length(rest[: found.start()]):
            break
        rest = rest[: found.start()]
    return rest


def _length(text: str) -> int:
    return len(_WORD.findall(text))
