"""Making untrusted text safe to show: no control characters, no direction tricks, no markup."""

from __future__ import annotations

import re

_LINE_BREAKS = re.compile(r"[\s\u0085\u2028\u2029]+")
_BREAK = re.compile(r"\r\n?|[\u0085\u2028\u2029\x0b\x0c]")
# Controls but newline, direction overrides and isolates, invisible fillers, tags, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
_MENTION = re.compile(r"(?<![A-Za-z0-9/.])@(?=\w)")
_EDGE_UNDERSCORE = re.compile(r"(?<!\w)_|_(?!\w)")
_LEADING = re.compile(r"^(\s*)([#>=+|-])", re.MULTILINE)
_INERT = str.maketrans(
    {"<": "\u2039", ">": "\u203a", "*": "\u2217", "`": "'", "~": "\u223c", "|": "\u00a6"}
)


def one_line(text: str, most: int = 300) -> str:
    """Return the text as one safe line of at most ``most`` characters.

    Examples
    --------
    >>> one_line("Bank fails\\r\\nBcc: all@example.com \\x1b[31m")
    'Bank fails Bcc: all@example.com [31m'
    """
    line = _UNSAFE.sub("", _LINE_BREAKS.sub(" ", text[: most * 4]))
    line = _LINE_BREAKS.sub(" ", line).strip()
    return line if len(line) <= most else line[: most - 1].rstrip() + "\u2026"


def block(text: str, most: int = 8000) -> str:
    """Return the text with its lines kept and everything else that could act taken out.

    Examples
    --------
    >>> block("one\\r\\ntwo\\x07")
    'one\\ntwo'
    """
    safe = _UNSAFE.sub("", _BREAK.sub("\n", text[: most * 2]))
    return safe if len(safe) <= most else safe[: most - 1].rstrip() + "\u2026"


def defang(text: str) -> str:
    """Return a text that reads the same and means nothing to a Markdown, HTML or chat renderer.

    Angle brackets, stars, backticks, tildes and bars become look-alikes; links, mentions and
    headings are broken. Bare addresses stay as they are.

    Examples
    --------
    >>> defang("@here <!channel> [click](https://x.example/a_b)")
    '@\\u2060here \u2039!channel\u203a [click] (https://x.example/a_b)'
    """
    inert = text.translate(_INERT).replace("](", "] (")
    inert = _EDGE_UNDERSCORE.sub("\u02cd", _MENTION.sub("@\u2060", inert))
    return _LEADING.sub("\\1\u2060\\2", inert)
