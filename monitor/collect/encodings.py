"""Bytes to text: the byte order mark, what the server and the document say, else what the bytes look like.

The order is RFC 7303's (mark, header, declaration), with one exception that the web forces: bytes
that are valid UTF-8 and not ASCII are UTF-8, whatever is declared. Old names mean the larger sets that people
use under them (WHATWG Encoding Standard, section 4.2): gb2312 is gb18030, iso-8859-1 is windows-1252.
"""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

SNIFFED_BYTES = 64 * 1024
_MARKS = (  # UTF-32 before UTF-16, whose mark begins it
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED = (  # "<?" and "<x" in wide characters (XML 1.0, appendix F)
    (re.compile(rb"<\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0<"), "utf-32-be"),
    (re.compile(rb"<\0[^\0]\0"), "utf-16-le"),
    (re.compile(rb"\0<\0[^\0]"), "utf-16-be"),
)
_LARGER = {
    "gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252",
    "iso8859-9": "cp1254", "big5": "big5hkscs", "euc_kr": "cp949", "shift_jis": "cp932",
}  # fmt: skip
_SNIFFED = [
    "gb18030", "big5hkscs", "cp932", "euc_jp", "cp949", "koi8_r", "cp1251", "cp1252", "cp1250",
    "cp1255", "cp874",
]  # fmt: skip
#: Python knows them, the web does not (WHATWG, section 4.2): names of hosts, escapes, mail's 7 bits.
_NOT_OF_THE_WEB = ("idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7")
_DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:\-]{2,40})|"""
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:\-]{2,40})""",
    re.IGNORECASE,
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:\-]{2,40})", re.IGNORECASE)


def to_text(data: bytes, content_type: str = "") -> str:
    """Return the text of a document. Never raises: what is no character is U+FFFD.

    Parameters
    ----------
    data
        As sent.
    content_type
        The header of that name.

    Examples
    --------
    >>> to_text("央行降准".encode("gb2312"), "text/xml; charset=gb2312")
    '央行降准'
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    for pattern, encoding in _UNMARKED:
        if pattern.match(data):
            return data.decode(encoding, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    names = [declared_encoding(content_type, data), _by_content(data), "utf-8"]
    for name in names:
        if name is not None:
            try:
                return data.decode(name)
            except UnicodeDecodeError:
                continue
    return data.decode(next(name for name in names if name is not None), "replace")


def declared_encoding(content_type: str, data: bytes) -> str | None:
    """Return the encoding that the header, else the document states, as Python calls it, if any is known.

    Examples
    --------
    >>> declared_encoding("", b'<?xml version="1.0" encoding="GBK"?>')
    'gb18030'
    """
    stated = _CHARSET.search(content_type)
    match = _DECLARED.search(data[:2_048])
    for name in (
        stated[1] if stated else None,
        (match[1] or match[2]).decode("ascii", "replace") if match else None,
    ):
        if name is None:
            continue
        try:
            known = codecs.lookup(name).name
            "".encode(known)  # some names are not of text
        except (LookupError, UnicodeError, TypeError):
            continue
        if known in _NOT_OF_THE_WEB:
            continue
        if not known.startswith(("utf-16", "utf-32", "utf_16", "utf_32")):  # seen above, if so
            return _LARGER.get(known, known)
    return None


def _by_content(data: bytes) -> str | None:
    sample = data[:SNIFFED_BYTES]
    best = from_bytes(sample, cp_isolation=_SNIFFED).best()
    return None if best is None else best.encoding
