"""One spelling for city names and postal codes, so that what a customer typed meets what the table holds.

Pure text work. The bundled table stores keys made here: after a change, rebuild it (``manage.py import_places``).
"""

import re
import unicodedata

# Letters that Unicode does not decompose into a base letter and an accent.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
# Two ways to write one vowel: Köln and Koeln, Ålborg and Aalborg.
_DOUBLE_VOWELS = re.compile(r"([aou])[e]|aa")
_SAINTS = re.compile(r"\b(saint|sankt|sint|sainkt|san)\b")
_NOT_WORD = re.compile(r"[^a-z0-9]+")
# What follows the proper name: "Frankfurt am Main", "Frankfurt/Main", "Halle (Saale)", "Wien, Leopoldstadt".
_ADDITION = re.compile(
    r"\s*(?:[(/,]|\s(?:am|an|im|in|bei|ob|vor|a|b|i)[\s.]+(?=\S)|\s(?:aan|bij|a/d)\s).*$", re.IGNORECASE
)
_FIRST_WORD = re.compile(r"[\s\-–/,(]")
_COUNTRY_PREFIX = re.compile(r"^[A-Z]{1,2}\s*-\s*(?=\d)")


def name_key(name: str) -> str:
    """``"'s-Gravenhage"`` -> ``"sgravenhage"``, ``"Köln"`` and ``"Koeln"`` -> ``"koln"``; "" when nothing is left."""
    text = unicodedata.normalize("NFKD", name.casefold().translate(_LETTERS))
    text = "".join([letter for letter in text if not unicodedata.combining(letter)])
    text = _DOUBLE_VOWELS.sub(lambda match: match[1] or "a", text)
    text = _NOT_WORD.sub(" ", text)
    return _SAINTS.sub("st", text).replace(" ", "")


def short_name(name: str) -> str:
    """The name without what only tells it from its namesakes: ``"Frankfurt a. M."`` -> ``"Frankfurt"``."""
    return _ADDITION.sub("", name.strip()) or name


def first_word(name: str) -> str:
    """``"Berlin-Mitte"`` -> ``"Berlin"``: districts are often written behind the city."""
    return _FIRST_WORD.split(name.strip(), maxsplit=1)[0]


def postal_key(code: str) -> str:
    """``"D-50667"`` -> ``"50667"``, ``"1012 ab"`` -> ``"1012AB"``."""
    return re.sub(r"[^A-Z0-9]", "", _COUNTRY_PREFIX.sub("", code.strip().upper()))


def postal_keys(country: str, code: str) -> list[str]:
    """The finest key first. Dutch dumps hold four digits, customers write two letters more."""
    key = postal_key(code)
    if not key:
        return []
    return [key, key[:4]] if country == "NL" and len(key) == 6 else [key]
