"""Addresses of sources in our words, without losing anything on the way."""

import dataclasses
import re

from django_countries.data import ALT_CODES, COUNTRIES

from .reading import first, text

# A number at the end: 12, 12a, 12 a, 1-3, 12/4, 12/4/7, 12a-14c. What stands before it ends in a space, comma or full stop.
TRAILING_NUMBER = re.compile(
    r"(?P<street>.*[^\W\d_].*?(?:[\s,]+|(?<=\.)))"
    r"(?P<number>\d+(?:\s?[a-zA-Z])?(?:\s?[-–/]\s?(?:\d+(?:\s?[a-zA-Z])?|[a-zA-Z]))*)"
)
ALPHA_3 = {alpha_2: codes[0] for alpha_2, codes in ALT_CODES.items() if codes[0]}
ALPHA_2 = {alpha_3: alpha_2 for alpha_2, alpha_3 in ALPHA_3.items()}


@dataclasses.dataclass(frozen=True)
class Address:
    """Where an order goes. ``name`` is only set where the source does not part it."""

    first_name: str = ""
    last_name: str = ""
    name: str = ""
    company: str = ""
    street: str = ""
    house_number: str = ""
    addition: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = ""
    state: str = ""
    phone: str = ""
    email: str = ""
    salutation: str = ""

    @property
    def full_name(self):
        """First and last name; without both the name as one text, then the company."""
        return first(f"{self.first_name} {self.last_name}", self.name, self.company)

    @property
    def missing(self):
        """Names of the parts without which nothing can be sent, as the preview calls them."""
        needed = ("street", "postal_code", "city", "country")
        return [part for part in needed if not getattr(self, part)] + ([] if self.full_name else ["name"])


def country(code):
    """ISO alpha-2 from alpha-2 or alpha-3; what is neither stays as it is, for the check to refuse."""
    code = text(code).upper()
    return ALPHA_2.get(code, code)


def is_country(code):
    return code in COUNTRIES


def alpha_3(code):
    """ISO alpha-3 from alpha-2 or alpha-3; '' for what is no country."""
    code = text(code).upper()
    return code if code in ALPHA_2 else ALPHA_3.get(code, "")


def split_street(line):
    """(street, house number) of a line. Without a number at its end the line stays whole."""
    line = " ".join(text(line).split())
    found = TRAILING_NUMBER.fullmatch(line)
    if found is None:
        return line, ""
    return found["street"].rstrip(" ,"), found["number"]


def join(*parts):
    """Lines of an address as one addition, each once and in their order."""
    return ", ".join(dict.fromkeys(filter(None, map(text, parts))))
