"""A small map of the aisles, drawn from the entrance up: where to go next, and what comes then. Knows no database.

The drawing is given as numbers for the attributes of an SVG, because the pages allow no inline style.
"""

import dataclasses
import itertools

AISLE, BAY, EDGE = 44, 14, 26  # px from aisle to aisle, from bay to bay, and around
NARROWEST = 4  # aisles that are always drawn, so that a small walk does not fill the screen


@dataclasses.dataclass(frozen=True)
class Mark:
    """A place on the map. ``keys`` are the ids of what is picked there."""

    aisle: int
    bay: int
    name: str
    keys: tuple[str, ...]
    is_done: bool = False


@dataclasses.dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    aisle_height: int
    name_y: int
    aisles: list[dict]
    marks: list[dict]
    path: str
    names: list[str]  # of the open places in the order of the walk: what the map says in words


def draw(marks, aisles):
    """The map of a walk; None when none of its places is on it.

    Args:
        marks: in the order of the walk.
        aisles: ``{aisle: (its last bay, its name)}`` of the facility.
    """
    marks = merge(marks)
    if not marks or not aisles:
        return None
    used = [mark.aisle for mark in marks]
    first = max(min(used) - 1, 1)
    last = min(max(max(used) + 1, first + NARROWEST - 1), max(aisles))
    depth = max(bay for aisle, (bay, _name) in aisles.items() if first <= aisle <= last)
    depth = max([depth, *(mark.bay for mark in marks)])
    height = EDGE + (depth + 1) * BAY + EDGE

    def at(aisle, bay):
        return EDGE + (aisle - first) * AISLE, height - EDGE - bay * BAY

    shown = [mark for mark in marks if not mark.is_done]
    points = [at(mark.aisle, mark.bay) for mark in shown]
    return Drawing(
        width=2 * EDGE + (last - first) * AISLE,
        height=height,
        aisle_height=depth * BAY + 7,
        name_y=height - 6,
        aisles=[
            {
                "x": at(aisle, 0)[0],
                "left": at(aisle, 0)[0] - 9,
                "top": at(aisle, depth)[1] - 7,
                "name": aisles[aisle][1] if aisle in aisles else str(aisle),
            }
            for aisle in range(first, last + 1)
        ],
        marks=[
            {
                "x": at(mark.aisle, mark.bay)[0],
                "y": at(mark.aisle, mark.bay)[1],
                "text_y": at(mark.aisle, mark.bay)[1] + 5,
                "keys": " ".join(mark.keys),
                "is_done": mark.is_done,
                "is_next": mark in shown[:1],
                "number": shown.index(mark) + 1 if mark in shown else "",
            }
            for mark in marks
        ],
        path=_path(points, at(first, depth + 0.6)[1], at(first, -0.6)[1]),
        names=[mark.name for mark in shown],
    )


def merge(marks):
    """Levels of one bay are one point of the map."""
    found: dict = {}
    for mark in marks:
        key = mark.aisle, mark.bay
        if key in found:
            known = found[key]
            found[key] = dataclasses.replace(
                known, keys=known.keys + mark.keys, is_done=known.is_done and mark.is_done
            )
        else:
            found[key] = mark
    return list(found.values())


def _path(points, back, front):
    """From point to point along the aisles, changing them at the nearer end."""
    if not points:
        return ""
    steps = [f"M{points[0][0]} {points[0][1]}"]
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        if x != to_x:
            by_front = (front - y) + (front - to_y)
            end = front if by_front <= (y - back) + (to_y - back) else back
            steps.append(f"V{end:g}H{to_x}")
        steps.append(f"V{to_y}")
    return "".join(steps)
