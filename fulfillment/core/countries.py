"""Country codes (ISO 3166-1 alpha-2), with names in the active language."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django_countries.data import COUNTRIES


def validate_country(value):
    if value not in COUNTRIES:
        raise ValidationError(
            _("“%(value)s” is not a country; use a code like NL or DE."),
            params={"value": value},
        )


def country_name(code):
    return COUNTRIES.get(code, code)
