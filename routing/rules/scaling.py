"""From raw figures to points."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import fsum

DIGITS = 9
"""Points are compared after rounding to this many digits, so that floating-point dust decides nothing."""


class Gap(StrEnum):
    """Why some figures of a rating were filled in."""

    NONE = ""
    ALL_UNKNOWN = "ALL_UNKNOWN"
    SOME_UNKNOWN = "SOME_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Column:
    """One rating over all candidates, in their order. ``raw`` keeps None where the figure is unknown."""

    key: str
    weight: float
    raw: tuple[float | None, ...]
    points: tuple[float, ...]
    gap: Gap


def column(key: str, weight: float, raw: Sequence[float | None], *, more_is_better: bool) -> Column:
    """Fill gaps, then scale relative to the best and the worst candidate.

    Unknown for all (the address cannot be placed): everybody gets the full weight, so the rating decides
    nothing. Unknown for some: they get the mean of the others.
    """
    known = [value for value in raw if value is not None]
    if not known:
        return Column(
            key,
            weight,
            tuple(raw),
            (float(weight),) * len(raw),
            Gap.ALL_UNKNOWN if raw else Gap.NONE,
        )
    low, high = min(known), max(known)
    if len(known) == len(raw):
        return Column(
            key,
            weight,
            tuple(raw),
            _relative(known, low, high, weight, more_is_better),
            Gap.NONE,
        )
    mean = min(max(fsum(known) / len(known), low), high)
    filled = [mean if value is None else value for value in raw]
    return Column(
        key,
        weight,
        tuple(raw),
        _relative(filled, low, high, weight, more_is_better),
        Gap.SOME_UNKNOWN,
    )


def _relative(values, low, high, weight, more_is_better):
    """Min-max over the candidates; all equal means the full weight for all.

    The share is taken first: it never exceeds 1, so points never exceed the weight.
    """
    span = high - low
    if span == 0:
        return (float(weight),) * len(values)
    if more_is_better:
        return tuple([weight * ((value - low) / span) for value in values])
    return tuple([weight * ((high - value) / span) for value in values])
