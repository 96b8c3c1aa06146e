from collections.abc import Iterable
from functools import lru_cache
from math import asin, cos, dist, radians, sin

EARTH_RADIUS_KM = 6371.0


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance between two (latitude, longitude) pairs in degrees, from the chord between the points."""
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, dist(_direction(a), _direction(b)) / 2))


def distances_km(
    origin: tuple[float, float] | None, places: Iterable[tuple[float, float] | None]
) -> list[float | None]:
    """The distance of every place from one, None where one of the two is not known."""
    if origin is None:
        return [None for _place in places]
    start, diameter = _direction(origin), 2 * EARTH_RADIUS_KM
    return [
        None if place is None else diameter * asin(min(1.0, dist(start, _direction(place)) / 2))
        for place in places
    ]


@lru_cache(maxsize=20_000)  # the facilities stay, the addresses pass
def _direction(position):
    """The point on the unit sphere, as (x, y, z)."""
    latitude, longitude = radians(position[0]), radians(position[1])
    return cos(latitude) * cos(longitude), cos(latitude) * sin(longitude), sin(latitude)
