"""Which goods cross a customs border, and what must be known of them. Pure: no database.

Sources: Union Customs Code (Regulation (EU) No 952/2013), article 4, for the area; Directive 2006/112/EC, article 6, for
the places inside it that are declared all the same; UPU Convention, CN 22 up to 300 SDR and 2 kg, else CN 23.
"""

import dataclasses
from decimal import Decimal

EU = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MC MT NL PL PT RO SE SI SK".split()  # noqa: SIM905
)
# Postal codes of the Union that begin so are outside its customs area, or outside its tax area and declared too.
APART = {
    "DE": ("27498", "78266"),  # Helgoland, Büsingen
    "ES": ("35", "38", "51", "52"),  # Canary Islands, Ceuta, Melilla
    "FI": ("22",),  # Åland
    "FR": ("971", "972", "973", "974", "976"),  # overseas departments
    "GR": ("63086", "630 86"),  # Mount Athos
    "IT": ("23030", "23041"),  # Livigno
}
# One customs area with a neighbour.
JOINED = {"LI": "CH", "IM": "GB"}
CN22_SDR, CN22_GRAMS = Decimal(300), 2_000
FIELDS = ("customs_description", "hs_code", "origin_country", "weight_g", "value")


@dataclasses.dataclass(frozen=True)
class Goods:
    """Units of one article as customs want to know them. ``value`` is that of one unit; None what nobody knows."""

    sku: str
    title: str
    quantity: int
    customs_description: str
    hs_code: str
    origin_country: str
    weight_g: int | None
    value: Decimal | None
    currency: str

    @property
    def missing(self):
        """Names of the fields without which no customs paper can be made."""
        given = {
            "customs_description": self.customs_description.strip(),
            "hs_code": sum(letter.isdigit() for letter in self.hs_code) >= 6,
            "origin_country": self.origin_country,
            "weight_g": self.weight_g,
            "value": self.value is not None and self.value > 0 and self.currency,
        }
        return [name for name in FIELDS if not given[name]]


def area(country, postal_code):
    """The name of the customs area of an address: equal names mean that nothing is declared between them."""
    postal_code = postal_code.strip().upper()
    if country == "GB" and postal_code.startswith("BT"):
        return "EU"  # Northern Ireland trades goods as if it were in the Union
    if country not in EU:
        return JOINED.get(country, country)
    apart = next((prefix for prefix in APART.get(country, ()) if postal_code.startswith(prefix)), None)
    return f"{country}-{apart}" if apart else "EU"


def is_border_between(sender, recipient):
    """Whether customs papers are needed between two (country, postal code)."""
    return area(*sender) != area(*recipient)


def form_for(value, currency, grams, sdr_values):
    """``CN22`` for a small parcel, else ``CN23``; a currency whose rate nobody entered counts as too much.

    Args:
        sdr_values: ``{currency: what one Special Drawing Right costs in it}``.
    """
    rate = sdr_values.get(currency)
    is_small = rate is not None and value <= CN22_SDR * Decimal(str(rate)) and grams <= CN22_GRAMS
    return "CN22" if is_small else "CN23"
