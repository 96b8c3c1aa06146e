"""Where an address is: a table of cities and postal codes, filled from GeoNames data (CC BY 4.0)."""

import csv
import dataclasses
import gzip
import io
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.db import transaction

from routing.models import Place
from routing.place_names import first_word, name_key, postal_key, postal_keys, short_name

BUNDLED = Path(__file__).parent / "data" / "places.csv.gz"
BUNDLED_COUNTRIES = ("AT", "BE", "CH", "CZ", "DE", "DK", "FR", "LU", "NL", "PL")
# From here on a city is known well enough for "Berlin-Mitte" to mean a part of it.
_METROPOLIS = 100_000
# From here on a city's other spellings are worth a row each.
_TOWN = 15_000
_KEY_LENGTH = Place._meta.get_field("key").max_length
_MAX_REPORTED = 20


class PlaceFileError(Exception):
    """The file cannot be read as what it should be; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Located:
    latitude: float
    longitude: float
    precision: str

    @property
    def position(self):
        return self.latitude, self.longitude


def locate(country, postal_code, city):
    """Find an address by postal code, else by city; None when neither is known."""
    return locate_all([(country, postal_code, city)])[0]


def locate_all(addresses):
    """Find many (country, postal code, city) in one query; the answers stand in the same order."""
    wanted = [
        (country.upper(), list(_keys(country.upper(), code, city))) for country, code, city in addresses
    ]
    keys = {key for _country, candidates in wanted for _kind, key, _least in candidates}
    if not keys:
        return [None] * len(wanted)
    rows = Place.objects.filter(country__in={country for country, _candidates in wanted}, key__in=keys)
    known = {
        (country, kind, key): (latitude, longitude, population)
        for country, kind, key, latitude, longitude, population in rows.values_list(
            "country", "kind", "key", "latitude", "longitude", "population"
        )
    }
    return [_first(known, country, candidates) for country, candidates in wanted]


# Many orders go to the same cities, and places change by an import only.
REMEMBERED_FOR, MOST_REMEMBERED = 600, 20_000  # seconds, addresses
_remembered: dict = {}  # address: (where it is, until); entries are replaced whole, so threads may read it


def locate_remembered(addresses):
    """``locate_all`` that asks for an address once in a while: ``{(country, postal code, city): Located or None}``."""
    now = time.monotonic()
    found = {address: _remembered.get(address, (None, 0)) for address in addresses}
    unknown = [address for address, (_located, until) in found.items() if until <= now]
    if unknown:
        if len(_remembered) > MOST_REMEMBERED:
            _remembered.clear()
        for address, located in zip(unknown, locate_all(unknown), strict=True):
            found[address] = _remembered[address] = (located, now + REMEMBERED_FOR)
    return {address: located for address, (located, _until) in found.items()}


def forget_places():
    """Ask for every address anew."""
    _remembered.clear()


def _keys(country, postal_code, city):
    """Kind, key and least population, the surest first."""
    for key in postal_keys(country, postal_code):
        yield Place.Kind.POSTAL_CODE, key, 0
    for name, least in ((city, 0), (short_name(city), 0), (first_word(city), _METROPOLIS)):
        if key := name_key(name):
            yield Place.Kind.CITY, key, least


def _first(known, country, candidates):
    for kind, key, least in candidates:
        found = known.get((country, kind, key))
        if found and found[2] >= least:
            return Located(found[0], found[1], str(kind))
    return None


# Filling the table


@dataclasses.dataclass(frozen=True, slots=True)
class City:
    country: str
    name: str
    latitude: float
    longitude: float
    population: int
    other_names: tuple[str, ...] = ()


def read_bundled() -> Iterator[tuple[str, str, float, float, int]]:
    """Rows (country, key, latitude, longitude, population) of the table that comes with the code."""
    with gzip.open(BUNDLED, "rt", encoding="ascii", newline="") as file:
        for country, key, latitude, longitude, population in csv.reader(file):
            yield country, key, float(latitude), float(longitude), int(population)


def write_bundled(rows, path):
    """The same rows always give the same bytes, so a rebuild shows real changes only."""
    with Path(path).open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        text = io.TextIOWrapper(packed, encoding="ascii", newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        text.flush()


def rows_of(cities: Iterable[City]) -> list[tuple[str, str, float, float, int]]:
    """One row per country and spelling. Namesakes compete by inhabitants, and a proper name counts more than
    another spelling, that more than a shortened name: "Frankfurt" is the one on the Main, yet a town that is
    simply called Neustadt is not outdone by Neustadt an der Weinstraße."""
    best: dict[tuple[str, str], tuple[float, tuple]] = {}
    for city in cities:
        place = (round(city.latitude, 4), round(city.longitude, 4), city.population)
        spellings = [(city.name, 1.0), (short_name(city.name), 0.02)]
        if city.population >= _TOWN:
            spellings += [(name, 0.1) for name in city.other_names if _is_latin(name)]
        for name, share in spellings:
            key = name_key(name)[:_KEY_LENGTH]
            score = share * (city.population + 1)
            if key and score > best.get((city.country, key), (0,))[0]:
                best[city.country, key] = (score, place)
    return [(country, key, *place) for (country, key), (_score, place) in sorted(best.items())]


def _is_latin(name):
    return len(name) > 3 and all(ord(letter) < 0x250 or letter == "’" for letter in name)


@transaction.atomic
def replace_cities(rows):
    """Put the rows in place of all cities of their countries; returns how many there are now."""
    return _replace(Place.Kind.CITY, rows)


@transaction.atomic
def replace_postal_codes(rows):
    """Put the rows in place of all postal codes of their countries; returns how many there are now."""
    return _replace(Place.Kind.POSTAL_CODE, rows)


def _replace(kind, rows):
    rows = list(rows)
    Place.objects.filter(kind=kind, country__in={row[0] for row in rows}).delete()
    Place.objects.bulk_create(
        [
            Place(
                country=country,
                kind=kind,
                key=key,
                latitude=latitude,
                longitude=longitude,
                population=population,
            )
            for country, key, latitude, longitude, population in rows
        ],
        batch_size=5000,
    )
    return len(rows)


def read_lines(path):
    """Text lines of a GeoNames dump, plain or zipped."""
    path = Path(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = [
                    name
                    for name in archive.namelist()
                    if name.endswith(".txt") and "readme" not in name.lower()
                ]
                if len(names) != 1:
                    raise PlaceFileError(
                        f"{path} should hold exactly one data file (.txt), it holds {len(names)}."
                    )
                yield from archive.read(names[0]).decode().splitlines()
        else:
            with path.open(encoding="utf-8") as file:
                yield from file
    except OSError as error:
        raise PlaceFileError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise PlaceFileError(f"{path} is not a GeoNames dump: it is not UTF-8 text.") from error


@dataclasses.dataclass
class RowErrors:
    """What was wrong with single rows: the number of all, the words for the first of them."""

    count: int = 0
    messages: list[str] = dataclasses.field(default_factory=list)

    def add(self, number, text):
        self.count += 1
        if len(self.messages) < _MAX_REPORTED:
            self.messages.append(f"Line {number}: {text}")


def _coordinates(latitude, longitude):
    latitude, longitude = float(latitude), float(longitude)
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ValueError("coordinates out of range")
    return latitude, longitude


def read_cities(lines, errors: RowErrors, countries=()) -> Iterator[City]:
    """Cities of a GeoNames dump (``cities500.txt`` or a country's ``XX.txt``: 19 columns, tab separated)."""
    for number, line in enumerate(lines, 1):
        cells = line.rstrip("\r\n").split("\t")
        if len(cells) != 19:
            errors.add(number, f"19 columns expected, {len(cells)} found")
            continue
        if cells[6] != "P" or (countries and cells[8] not in countries):
            continue
        try:
            latitude, longitude = _coordinates(cells[4], cells[5])
            population = int(cells[14] or 0)
        except ValueError:
            errors.add(number, f"no valid coordinates or population for {cells[1]}")
            continue
        yield City(cells[8], cells[1], latitude, longitude, population, tuple(cells[3].split(",")))


def read_postal_codes(lines, errors: RowErrors) -> list[tuple[str, str, float, float, int]]:
    """Rows of a GeoNames postal-code dump (12 columns, tab separated); places that share a code are averaged."""
    sums: dict[tuple[str, str], list] = {}
    for number, line in enumerate(lines, 1):
        cells = line.rstrip("\r\n").split("\t")
        if len(cells) != 12:
            errors.add(number, f"12 columns expected, {len(cells)} found")
            continue
        country, key = cells[0].strip().upper(), postal_key(cells[1])
        if len(country) != 2 or not country.isalpha() or not key:
            errors.add(number, f"no country or postal code: {cells[0]!r}, {cells[1]!r}")
            continue
        try:
            latitude, longitude = _coordinates(cells[9], cells[10])
        except ValueError:
            errors.add(number, f"no valid coordinates for {country} {cells[1]}")
            continue
        total = sums.setdefault((country, key[:_KEY_LENGTH]), [0.0, 0.0, 0])
        total[0] += latitude
        total[1] += longitude
        total[2] += 1
    return [
        (country, key, round(lat / count, 5), round(lon / count, 5), 0)
        for (country, key), (lat, lon, count) in sorted(sums.items())
    ]
