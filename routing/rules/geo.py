from functools import lru_cache
from math import asin, cos, dist, radians, sin

EARTH_RADIUS_KM = 6371.0


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance between two (latitude, longitude) pairs in degrees, from the chord between the points."""
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, dist(_direction(a), _direction(b)) / 2))


@lru_cache(maxsize=20_000)  # the facilities stay, the addresses pass
def _direction(position):
    """The point on the unit sphere, as (x, y, z)."""
    latitude, longitude = radians(position[0]), radians(position[1])
    return cos(latitude) * cos(longitude), cos(latitude) * sin(longitude), sin(latitude)
