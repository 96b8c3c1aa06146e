"""Which boxes a job needs. Pure: no database, no clock. Millimetres and grams.

Units are laid into a box one by one, the largest first. Each goes into the smallest free space that takes it in one of
its six positions; what is left of that space are three smaller ones. What this finds really fits; a person sometimes
finds a smaller box, which is why the packer may always choose another.
"""

import dataclasses
import functools
import itertools
from collections import Counter
from collections.abc import Hashable, Iterable

MOST_UNITS = 300  # more are not reckoned with while somebody waits for a page


@dataclasses.dataclass(frozen=True)
class Box:
    """Inner sides, and the weight it takes beside its own."""

    key: Hashable
    sides: tuple[int, ...]
    most_g: int

    @property
    def volume(self):
        return _volume(self.sides)


@dataclasses.dataclass(frozen=True)
class Unit:
    """One unit of an article; ``grams`` 0 when nobody knows."""

    key: Hashable
    sides: tuple[int, ...]
    grams: int = 0


@dataclasses.dataclass(frozen=True)
class Filled:
    """A box with what goes into it: ``{unit key: units}``."""

    box: Box
    contents: dict


@dataclasses.dataclass(frozen=True)
class Proposal:
    """``left`` is what no box takes."""

    filled: tuple[Filled, ...] = ()
    left: tuple[Unit, ...] = ()


def propose(units: Iterable[Unit], boxes: Iterable[Box]):
    """The smallest box that takes all units; else several: the one that takes most, again and again.

    Returns:
        A ``Proposal``, or None when there are no units, no boxes, or too many units.
    """
    left = sorted(units, key=lambda unit: (-_volume(unit.sides), str(unit.key)))
    boxes = sorted(boxes, key=lambda box: (box.volume, box.most_g, str(box.key)))
    if not left or not boxes or len(left) > MOST_UNITS:
        return None
    filled = []
    while left:
        box, taken = _best(left, boxes)
        if not taken:
            break
        filled.append(Filled(box, dict(Counter(unit.key for unit in taken))))
        left = _without(left, taken)
    return Proposal(tuple(filled), tuple(left))


def _without(units, taken):
    gone, rest = Counter(taken), []
    for unit in units:
        if gone[unit]:
            gone[unit] -= 1
        else:
            rest.append(unit)
    return rest


def _best(units, boxes):
    """The smallest box that takes all units; else the one that takes most of their volume, then the smaller."""
    best_box, best_taken, best_volume = boxes[0], [], 0
    total = _volume_of(units)
    for box in boxes:
        taken = fill(box, units)
        volume = _volume_of(taken)
        if volume > best_volume:
            best_box, best_taken, best_volume = box, taken, volume
        if volume == total and len(taken) == len(units):
            break
    return best_box, best_taken


def fill(box, units):
    """Those of the units, the largest first, that go into a box together."""
    free, grams, taken = [box.sides], box.most_g, []
    too_large = set()  # what found no place finds none later: spaces only become smaller
    for unit in units:
        if unit.grams > grams or unit.sides in too_large:
            continue
        place = _place(unit.sides, free)
        if place is None:
            too_large.add(unit.sides)
            continue
        space, position = place
        free.remove(space)
        free += _rest(space, position)
        grams -= unit.grams
        taken.append(unit)
    return taken


def _place(sides, free):
    """(space, position of the sides in it): the smallest space, and there the position that leaves the largest rest."""
    for space in sorted(free, key=_volume):
        positions = [
            position
            for position in _positions(sides)
            if all(side <= room for side, room in zip(position, space, strict=True))
        ]
        if positions:
            largest = {
                position: max(map(_volume, _rest(space, position)), default=0) for position in positions
            }
            return space, max(positions, key=lambda position: (largest[position], position))
    return None


@functools.lru_cache(maxsize=10_000)
def _positions(sides):
    return sorted(set(itertools.permutations(sides)))


def _rest(space, position):
    """The free spaces beside, behind and above what was laid into a corner of a space."""
    (length, width, height), (long, wide, high) = space, position
    rest = [(length - long, width, height), (long, width - wide, height), (long, wide, height - high)]
    return [room for room in rest if all(room)]


def _volume(sides):
    length, width, height = sides
    return length * width * height


def _volume_of(units):
    return sum(_volume(unit.sides) for unit in units)
