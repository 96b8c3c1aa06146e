"""What a package should weigh, and what a scale says. Pure: no database, no clock. All weights in grams."""

import dataclasses
import re
from decimal import Decimal

# What a box with filling weighs at most when nobody said which box it is.
BOX_G = 1500
# What a package is said to weigh when nobody weighed it and the weight of an article is unknown.
USUAL_G = 1000

# Scales type what their maker thinks: "1234", "1.234 kg", "ST,GS,+  1.234kg" (stable, gross). A decimal without a unit
# is kilograms: nobody weighs fractions of a gram here.
_WEIGHT = re.compile(
    r"(?:[A-Z]{2},){0,2}\s*\+?\s*(?P<number>\d{1,9}(?:[.,]\d{1,4})?)\s*(?P<unit>kg|g|lb|oz)?", re.IGNORECASE
)
_GRAMS = {"kg": Decimal(1000), "g": Decimal(1), "lb": Decimal("453.59237"), "oz": Decimal("28.349523125")}


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """How far a weight may be off before the packer is asked: a share of it, at least some grams."""

    percent: int
    least_g: int

    def around(self, grams):
        return max(grams * self.percent // 100, self.least_g)


def read_weight(text):
    """The grams that were typed, by a person or a scale; None when it is no weight."""
    found = _WEIGHT.fullmatch(text.strip())
    if found is None:
        return None
    number, unit = found["number"].replace(",", "."), (found["unit"] or "").lower()
    return round(Decimal(number) * _GRAMS[unit or ("kg" if "." in number else "g")])


def expected_weight(contents, tare_g=0):
    """Weight of a package: its articles and its box; None when it is empty or the weight of an article is unknown.

    Args:
        contents: pairs of (units, grams of one unit or None).
    """
    contents = list(contents)
    if not contents or any(grams is None for _units, grams in contents):
        return None
    return sum(units * grams for units, grams in contents) + tare_g


def is_unlikely(grams, expected, tolerance, *, is_box_known):
    """Whether a weight is further from the expected one than the tolerance; never when that is unknown.

    Of a box that nobody named, only the most that a box weighs is known.
    """
    if expected is None:
        return False
    room = tolerance.around(expected)
    return not expected - room <= grams <= expected + room + (0 if is_box_known else BOX_G)
