"""CSV files as tables of a model: what every import and export shares.

An import is all or nothing: it is tried and rolled back for the preview, then run for real after the confirmation.
"""

import collections
import re

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from import_export import resources, widgets

MOST_ROWS = 50_000
# A spreadsheet takes a cell that begins like this for a formula. The apostrophe is in it, so that the way back is exact.
FORMULA_START = "=+-@\t\r\n'"
PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def escape(value):
    """A cell that no spreadsheet runs: an apostrophe goes before what begins like a formula. Numbers stay."""
    if isinstance(value, str) and value[:1] in tuple(FORMULA_START) and not PLAIN_NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def unescape(value):
    """The opposite of ``escape``."""
    if isinstance(value, str) and value[:1] == "'" and value[1:2] in tuple(FORMULA_START):
        return value[1:]
    return value


class FileRefused(ValueError):
    """The file as a whole cannot be imported."""


class PlainDiff(resources.Diff):
    def as_html(self):
        # The page allows no inline styles.
        return [mark_safe(re.sub(r' style="[^"]*"', "", cell)) for cell in super().as_html()]


class CsvResource(resources.Resource):
    """What all imports have in common: known columns, a limit of rows, escaped cells, errors that name the column."""

    required: tuple[str, ...] = ()

    def get_diff_class(self):
        return PlainDiff

    def before_import(self, dataset, **kwargs):
        self.user, self.now = kwargs.get("user"), timezone.now()
        self.lines = {}
        headers = [header or "" for header in dataset.headers or []]
        known = {field.column_name for field in self.get_import_fields()}
        missing = [name for name in self.required if name not in headers]
        unknown = [name for name in headers if name not in known]
        twice = [name for name, count in collections.Counter(headers).items() if count > 1]
        rows = len(dataset)
        if missing or unknown or twice or rows > MOST_ROWS:
            dataset.wipe()
        if missing:
            raise FileRefused(_("The column %(names)s is missing.") % {"names": ", ".join(missing)})
        if unknown:
            raise FileRefused(
                _("Unknown column %(names)s; known are %(known)s.")
                % {"names": ", ".join(unknown), "known": ", ".join(sorted(known))}
            )
        if twice:
            raise FileRefused(_("The column %(names)s stands twice.") % {"names": ", ".join(twice)})
        if rows > MOST_ROWS:
            raise FileRefused(
                _("The file has %(rows)s rows; at most %(most)s are imported at once.")
                % {"rows": rows, "most": MOST_ROWS}
            )
        cells = [[unescape(cell) for cell in row] for row in dataset]
        dataset.wipe()
        dataset.headers = headers
        dataset.extend(cells)
        self.prepare([{name: self.text(row, name) for name in headers} for row in dataset.dict])

    @staticmethod
    def text(row, name):
        value = row.get(name)
        return value.strip() if isinstance(value, str) else ""

    def prepare(self, rows):
        """Load what the rows refer to, at once, before any of them is imported."""

    def import_field(self, field, instance, row, is_m2m=False, **kwargs):
        try:
            super().import_field(field, instance, row, is_m2m, **kwargs)
        except ArithmeticError as error:
            # The widgets of numbers let this through.
            raise ValueError(_("%(value)s is not a number.") % {"value": row[field.column_name]}) from error

    def check_once(self, key, column, row_number):
        """Refuse a second row for the same thing."""
        first = self.lines.setdefault(key, row_number)
        if first != row_number:
            raise ValidationError({column: _("Row %(row)s is about the same.") % {"row": first}})

    def validate_instance(self, instance, import_validation_errors=None, validate_unique=True):
        columns = {field.attribute: field.column_name for field in self.get_import_fields()}
        try:
            super().validate_instance(instance, import_validation_errors, validate_unique)
        except ValidationError as error:
            named = {columns.get(name, name): list(errors) for name, errors in error.error_dict.items()}
            raise ValidationError(named) from error

    def export_field(self, field, instance, **kwargs):
        return escape(super().export_field(field, instance, **kwargs))


class ChoiceWidget(widgets.Widget):
    def __init__(self, choices):
        super().__init__()
        self.choices = choices

    def clean(self, value, row=None, **kwargs):
        value = (value or "").strip().upper()
        if value not in self.choices.values:
            raise ValueError(
                _("%(value)s is not one of %(choices)s.")
                % {"value": value or "–", "choices": ", ".join(self.choices.values)}
            )
        return value


class ListWidget(widgets.Widget):
    """Names separated by commas."""

    def clean(self, value, row=None, **kwargs):
        return [name.strip() for name in (value or "").split(",") if name.strip()]

    def render(self, value, obj=None, **kwargs):
        return ", ".join(value or [])


class TimesWidget(widgets.JSONWidget):
    def clean(self, value, row=None, **kwargs):
        return super().clean(value, row, **kwargs) or {}
