from collections.abc import Iterable
from functools import lru_cache
from math import asin, cos, dist, radians, sin

EARTH_RADIUS_KM = 6371.0


Position = tuple[float, float]  # latitude and longitude in degrees
Direction = tuple[float, float, float]


def distance_km(a: Position, b: Position) -> float:
    """Great-circle distance between two positions, from the chord between the points."""
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, dist(direction(a), direction(b)) / 2))


def distances_km(origin: Position | None, directions: Iterable[Direction | None]) -> list[float | None]:
    """The distance of every direction from one position, None where one of the two is not known."""
    if origin is None:
        return [None for _direction in directions]
    start, diameter = direction(origin), 2 * EARTH_RADIUS_KM
    return [
        None if there is None else diameter * asin(min(1.0, dist(start, there) / 2)) for there in directions
    ]


@lru_cache(maxsize=20_000)  # the facilities stay, the addresses pass
def direction(position: Position) -> Direction:
    """The point on the unit sphere, as (x, y, z)."""
    latitude, longitude = radians(position[0]), radians(position[1])
    return cos(latitude) * cos(longitude), cos(latitude) * sin(longitude), sin(latitude)
