"""Pure pieces: streets, times, money, texts, countries."""

import datetime
from decimal import Decimal

import pytest
from django.utils.translation import override

from fulfillment.core.countries import COUNTRIES
from orders.sources import reading
from orders.sources.addresses import ALPHA_2, alpha_3, country, split_street


@pytest.mark.parametrize(
    ("line", "street", "number"),
    [
        ("Hauptstraße 12", "Hauptstraße", "12"),
        ("Hauptstr.5", "Hauptstr.", "5"),
        ("Weg 12a", "Weg", "12a"),
        ("Weg 12 a", "Weg", "12 a"),
        ("Weg 1-3", "Weg", "1-3"),
        ("Weg 12/4", "Weg", "12/4"),
        ("Wiener Gasse 12/4/7", "Wiener Gasse", "12/4/7"),
        ("Straße des 17. Juni 135", "Straße des 17. Juni", "135"),
        ("Straße des 17. Juni", "Straße des 17. Juni", ""),
        ("Q7 24", "Q7", "24"),
        ("Keizersgracht, 12", "Keizersgracht", "12"),
        ("12 Main Street", "12 Main Street", ""),
        ("Platz 12 Hinterhaus", "Platz 12 Hinterhaus", ""),
        ("Q7", "Q7", ""),
        ("123", "123", ""),
        ("  Am   Markt  3 ", "Am Markt", "3"),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_number_at_the_end_of_a_street_is_parted(line, street, number):
    assert split_street(line) == (street, number)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-02T09:00:00Z",
        "2026-11-02T09:00:00.000Z",
        "2026-11-02T09:00:00+00:00",
        "2026-11-02T09:00:00+0000",
        "2026-11-02T10:00:00+01:00",
        "2026-11-02T04:00:00-0500",
    ],
)
def test_times_of_every_spelling_are_utc(text):
    assert reading.time(text) == datetime.datetime(2026, 11, 2, 9, tzinfo=datetime.UTC)


@pytest.mark.parametrize("value", ["", None, "soon", 7, {}, "2026-13-45T00:00:00Z"])
def test_what_is_no_time_is_none(value):
    assert reading.time(value) is None


def test_money_is_exact():
    assert reading.read_json('{"a": 0.1, "b": 12.50}') == {"a": Decimal("0.1"), "b": Decimal("12.50")}
    assert str(reading.money("12.50")) == "12.50"
    assert reading.money(0.1) is None
    assert reading.money("NaN") is None
    assert reading.money(True) is None
    assert str(reading.minor_units(1250, "EUR")) == "12.50"
    assert str(reading.minor_units(1500, "JPY")) == "1500"
    assert str(reading.minor_units(1500, "KWD")) == "1.500"
    assert str(reading.minor_units(1500, "EUR", 4)) == "0.1500"


def test_whole_numbers_only():
    assert [reading.whole(value) for value in (2, "2", Decimal("2.0"), "2.5", None, "x", True)] == [
        *(2, 2, 2, None, None, None, None)
    ]


def test_text_is_what_a_database_can_keep():
    assert reading.text("  a\0b\ud800 ") == "ab"
    assert [reading.text(value) for value in (None, [], {}, False, Decimal("1E+2"), 7)] == [
        "",
        "",
        "",
        "false",
        "100",
        "7",
    ]


def test_title_of_a_language_chain():
    titles = {"en-GB": "Mug", "de": "Tasse", "fr": ""}

    assert reading.localized(titles, ["de-AT"]) == "Tasse"
    assert reading.localized(titles, ["fr", "en_GB"]) == "Mug"
    assert reading.localized(titles, ["nl"]) == "Mug"
    assert reading.localized("Mug") == "Mug"


def test_every_country_goes_both_ways():
    assert len(ALPHA_2) > 240
    assert {country(three) for three in ALPHA_2} == {country(two) for two in ALPHA_2.values()}
    assert (country("deu"), country(" at "), alpha_3("NL"), alpha_3("NLD"), alpha_3("XX")) == (
        *("DE", "AT", "NLD", "NLD", ""),
    )
    assert country("Germany") == "GERMANY"


def test_constants_and_depth_are_no_json():
    for body in (b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"\xff"):
        try:
            reading.read_json(body)
        except ValueError:
            continue
        pytest.fail(f"{body[:20]!r} was read.")


def test_countries_have_names_in_german():
    with override("de"):
        assert str(COUNTRIES["DE"]) == "Deutschland"
