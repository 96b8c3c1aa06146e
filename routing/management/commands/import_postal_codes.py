from django.core.management.base import BaseCommand, CommandError

from routing import places


class Command(BaseCommand):
    help = (
        "Locate addresses by postal code: load a GeoNames postal-code dump (XX.txt or XX.zip from "
        "download.geonames.org/export/zip). It replaces the codes of the countries in the file."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", help="The dump, plain or zipped.")

    def handle(self, *args, file, **options):
        errors = places.RowErrors()
        try:
            rows = places.read_postal_codes(places.read_lines(file), errors)
        except places.PlaceFileError as error:
            raise CommandError(str(error)) from error
        for message in errors.messages:
            self.stderr.write(message)
        if not rows:
            raise CommandError(f"No postal code found in {file}: nothing was changed.")
        places.replace_postal_codes(rows)
        found = ", ".join(sorted({row[0] for row in rows}))
        self.stdout.write(f"{len(rows)} postal codes in {found}; {errors.count} lines left out.")
