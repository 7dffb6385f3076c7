"""What of a company's long name is form and not name: "The Acme Holdings, Inc." is called Acme.

Three layers come off the end, one after the other: the legal form (Inc, Plc, AG, 股份有限公司), the
structure (Holdings, Group, 集团), and the trade (Motor, Airlines, Pharmaceuticals), which a short form may
leave out. Off the front come "The" and words of the list that the name was taken from.
"""

from __future__ import annotations

import re

from monitor.entities.fold import fold

FORMS = frozenset({
    "a/s", "ab", "adr", "ads", "ag", "as", "asa", "berhad", "bhd", "bv", "co", "companies",
    "company", "corp", "corporation", "cos", "cv", "gmbh", "inc", "incorporated", "jsc",
    "kabushiki", "kaisha", "kg", "kgaa", "kk", "limited", "llc", "lllp", "llp", "lp", "ltd", "nv",
    "oao", "ojsc", "oy", "oyj", "pao", "pcl", "pjsc", "plc", "pt", "pte", "pty", "pvt", "reit",
    "sa", "saa", "sab", "sarl", "sca", "se", "sgps", "spa", "srl", "tbk", "zao",
})  # fmt: skip
"""Legal forms, folded, without points."""

STRUCTURES = frozenset({
    "bancorp", "bancorporation", "bancshares", "group", "groupe", "grupo", "gruppe", "gruppo",
    "holding", "holdings", "trust",
})  # fmt: skip
"""Words that say how a company is held."""

TRADES = frozenset({
    "aerospace", "air", "airlines", "airways", "apparel", "appliances", "associates", "athletica",
    "auto", "automobile", "automobiles", "automotive", "bank", "banking", "banks", "batteries",
    "beverage", "beverages", "biopharmaceuticals", "biosciences", "biotech", "biotherapeutics",
    "brands", "breweries", "brewing", "broadcasting", "capital", "cement", "chemical", "chemicals",
    "coal", "communications", "computer", "computers", "construction", "consulting", "controls",
    "cosmetics", "cruises", "data", "design", "diagnostics", "digital", "electric", "electronic",
    "electronics", "energy", "engineering", "entertainment", "equipment", "express", "fashion",
    "finance", "financial", "food", "foods", "gaming", "gas", "global", "gold", "health",
    "healthcare", "heavy", "home", "homes", "hospitality", "hotels", "industrial", "industries",
    "insurance", "interactive", "international", "investment", "investments", "jewelers",
    "kabushiki", "laboratories", "labs", "lines", "logistics", "machines", "management",
    "manufacturing", "marine", "materials", "media", "medical", "metal", "metals", "micro", "mines",
    "mining", "mobile", "motor", "motors", "network", "networks", "oil", "outfitters", "partners",
    "petroleum", "pharma", "pharmaceutical", "pharmaceuticals", "photonics", "platforms", "power",
    "precision", "products", "properties", "property", "railway", "realty", "resorts", "resources",
    "restaurants", "retail", "rubber", "sciences", "securities", "semiconductor", "semiconductors",
    "services", "shipping", "software", "solar", "solutions", "steel", "stores", "studios",
    "supply", "system", "systems", "technologies", "technology", "telecom", "telecommunications",
    "telephone", "textile", "therapeutics", "tire", "tobacco", "toys", "trading", "transport",
    "transportation", "travel", "utilities", "water", "wireless", "works", "workshop", "worldwide",
})  # fmt: skip
"""Words that say what a company does; people leave them out when they speak of it."""

_LEADING = re.compile(
    r"^(?:the|a|former|shares of|retailer|reinsurer|insurer|lender|carmaker|automaker|drugmaker|"
    r"brewer|airline|miner|state-run|\w+-(?:based|focused|owned|backed|listed|run)) "
    r"(?=[A-Z\d])",
    re.IGNORECASE,
)
_TWO = re.compile(r"(.+) [A-Z\d]{1,6}\.[A-Z]{1,2} and (.+)")
_LISTING = re.compile(
    r"(?:,? (?:class [a-z]|series [a-z]|common (?:stock|shares?)|ordinary shares?|"
    r"american depositary (?:shares?|receipts?)|depositary (?:shares?|receipts?))\b.*"
    r"| ?/[a-z. ]{2,12}/?| \([^()]*\))$",
    re.IGNORECASE,
)
_FORM_OF_SEVERAL = re.compile(
    r",? (?:(?:&|and) co(?:mpany|s|\.)?|s\. ?a\. ?b\. ?de c\. ?v|de c\. ?v|s\. ?p\. ?a|s\. ?a|"
    r"n\. ?v|l\. ?p|p\. ?l\. ?c|l\. ?l\. ?c|a\. ?g)\.?$",
    re.IGNORECASE,
)
_HAN_FORM = re.compile(r"(?:股份有限公司|有限责任公司|有限公司|股份公司|公司)$")
_HAN_STRUCTURE = re.compile(r"(?:控股集团|集团|控股|股份)$")
_SHARE_MARK = re.compile(r"^(?:\*?ST|S\*?ST|XD|XR|DR|N)(?=[\u4e00-\u9fff])|[AB](?:股)?$|-[UWV]+$")


def parts(name: str) -> tuple[str, ...]:
    """Return the two names of a row that holds two, told by the instrument code between them.

    Examples
    --------
    >>> parts("Acme Bank ACM.N and Zenith Corp"), parts("Smith and Wesson")
    (('Acme Bank', 'Zenith Corp'), ())
    """
    match = _TWO.fullmatch(name)
    return match.groups() if match else ()


def without_listing(name: str) -> str:
    """Return a name of an exchange's list without the share that is listed.

    Examples
    --------
    >>> without_listing("Acme Inc. Class A Common Stock"), without_listing("ACME CORP /DE/")
    ('Acme Inc.', 'ACME CORP')
    """
    while (shorter := _LISTING.sub("", name.strip()).strip()) != name:
        name = shorter
    return name


def without_form(name: str) -> str:
    """Return the name without what a list put before it, "The", and its legal form.

    Examples
    --------
    >>> without_form("The Acme Motor Co., Ltd."), without_form("Acme & Co"), without_form("Acme N.V.")
    ('Acme Motor', 'Acme', 'Acme')
    >>> without_form("Acme Holdings Inc. Class A Common Stock"), without_form("宁德时代股份有限公司")
    ('Acme Holdings', '宁德时代')
    >>> without_form("Co Ltd")
    ''
    """
    name = without_listing(name)
    while True:
        shorter = _FORM_OF_SEVERAL.sub("", _LEADING.sub("", name)).rstrip(" ,")
        words = shorter.split(" ")
        if _bare(words[-1]) in FORMS:
            shorter = " ".join(words[:-1]).rstrip(" ,")
        shorter = _HAN_FORM.sub("", shorter)
        if shorter == name:
            return name
        name = shorter


def without_structure(name: str) -> str:
    """Return a name without form and without "Holdings", "Group" and their kind.

    Examples
    --------
    >>> without_structure("Acme Group Holdings"), without_structure("Grupo Acme")
    ('Acme', 'Acme')
    >>> without_structure("美的集团"), without_structure("深物业A"), without_structure("*ST国华")
    ('美的', '深物业', '国华')
    """
    words = without_form(name).split(" ")
    while len(words) > 1 and _bare(words[-1]) in STRUCTURES | FORMS:
        words.pop()
    if len(words) > 1 and _bare(words[0]) in STRUCTURES and not words[1][0].isdigit():
        words = words[1:]
    short = " ".join(words)
    if any("\u4e00" <= char <= "\u9fff" for char in short):
        short = _HAN_STRUCTURE.sub("", _SHARE_MARK.sub("", _SHARE_MARK.sub("", fold_wide(short))))
    return short.rstrip(" ,&-")


def without_trade(name: str) -> str:
    """Return a name without form, structure and the words of its trade; never less than one word.

    Examples
    --------
    >>> without_trade("Acme Motor"), without_trade("Zenith Bolt & Tire Manufacturing")
    ('Acme', 'Zenith Bolt')
    """
    words = without_structure(name).split(" ")
    while len(words) > 1 and (
        _bare(words[-1]) in TRADES | STRUCTURES or words[-1] in ("&", "and", "of")
    ):
        words.pop()
    return " ".join(words).rstrip(" ,&-")


def fold_wide(text: str) -> str:
    """Return the text with full-width letters and digits in their narrow form.

    Examples
    --------
    >>> fold_wide("\\uff21\\u80a1")
    'A\u80a1'
    """
    return "".join(chr(ord(c) - 0xFEE0) if "\uff01" <= c <= "\uff5e" else c for c in text)


def is_form(word: str) -> bool:
    """Say whether a word is a legal form.

    Examples
    --------
    >>> is_form("Plc."), is_form("Acme")
    (True, False)
    """
    return _bare(word) in FORMS


def _bare(word: str) -> str:
    return fold(word).replace(".", "").strip(",")
