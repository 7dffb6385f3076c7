"""Which language an item is in: what its source says, what its script says, else statistics.

Chinese, Japanese and Korean show in the script. For the rest py3langid decides among `LANGUAGES`;
on a title of eight words it mistakes English about once in fifty, so another language has to be
clearly likelier than English to be believed: an item wrongly taken from English would not be read
at all.
"""

from __future__ import annotations

import re
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

UNKNOWN = "und"
LANGUAGES = (
    "en", "zh", "ja", "ko", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "tr", "ru", "uk", "ar",
    "he", "hi", "el", "th", "vi", "id",
)  # fmt: skip
READ_CHARS = 400
ENGLISH_MARGIN = 25.0
"""Log-likelihood by which another language written in Latin letters must beat English."""

_EAST_ASIAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9\-_]*)?")


def language_of(stated: str | None, title: str, lead: str = "") -> str:
    """Return the ISO 639-1 code of an item, ``und`` when nothing tells.

    Parameters
    ----------
    stated
        What the item, feed or configuration says (``en``, ``zh-CN``), if it says anything. East
        Asian script overrules a stated Western language: feeds often keep a default.
    title, lead
        Normalised text.

    Examples
    --------
    >>> language_of("en-us", "Profit falls"), language_of("en", "央行下调存款准备金率")
    ('en', 'zh')
    """
    if not title.isascii():
        script = _by_script(title)
        if script is not None:
            known = primary_language(stated)
            return known if known in ("zh", "ja", "ko") else script
    return primary_language(stated) or _by_statistics(f"{title} {lead}"[:READ_CHARS])


def primary_language(tag: str | None) -> str | None:
    """Return the language of a BCP 47 tag in lower case, or ``None`` when it is not a tag.

    Examples
    --------
    >>> primary_language("zh-Hans-CN"), primary_language("English, mostly")
    ('zh', None)
    """
    match = _TAG.fullmatch(tag.strip()) if tag else None
    return match[1].lower() if match else None


def _by_script(text: str) -> str | None:
    kana, hangul = len(_KANA.findall(text)), len(_HANGUL.findall(text))
    east_asian = len(_EAST_ASIAN.findall(text)) + kana + hangul
    # One Chinese character says about as much as three Latin letters.
    if not east_asian or 3 * east_asian < len(_LATIN.findall(text)):
        return None
    if 4 * hangul > east_asian:
        return "ko"
    return "ja" if 20 * kana > east_asian else "zh"


def _by_statistics(text: str) -> str:
    if not any(character.isalpha() for character in text):
        return UNKNOWN
    ranked = _identifier().rank(text)
    best, score = ranked[0]
    if best != "en" and _LATIN.search(text) is not None:
        english = next(likelihood for language, likelihood in ranked if language == "en")
        if score - english < ENGLISH_MARGIN:
            return "en"
    return str(best)


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(list(LANGUAGES))
    return identifier
