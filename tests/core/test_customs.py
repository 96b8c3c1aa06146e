import dataclasses
from decimal import Decimal

import pytest

from fulfillment.core.customs import Goods, form_for, is_border_between

AMSTERDAM = ("NL", "1012 LG")
MUG = Goods("MUG", "Mug", 1, "Stoneware mug for drinks", "6912 00 23", "PT", 300, Decimal("12.50"), "EUR")


@pytest.mark.parametrize(
    ("recipient", "is_declared"),
    [
        (("NL", "1015 CN"), False),
        (("DE", "50667"), False),
        (("MC", "98000"), False),
        (("CH", "8001"), True),
        (("GB", "SW1A 1AA"), True),
        (("GB", "bt1 5gs"), False),  # Northern Ireland
        (("NO", "0150"), True),
        (("US", "10001"), True),
        (("DE", "27498"), True),  # Helgoland
        (("DE", "27499"), False),
        (("ES", "35001"), True),  # Canary Islands
        (("ES", "28001"), False),
        (("ES", "51001"), True),  # Ceuta
        (("IT", "23041"), True),  # Livigno
        (("FI", "22100"), True),  # Åland
        (("FR", "97110"), True),  # Guadeloupe
        (("GP", "97110"), True),
    ],
)
def test_what_leaves_the_customs_area_of_the_union_is_declared(recipient, is_declared):
    assert is_border_between(AMSTERDAM, recipient) == is_declared


def test_other_areas_have_borders_of_their_own():
    assert not is_border_between(("CH", "8001"), ("LI", "9490"))
    assert not is_border_between(("GB", "SW1A 1AA"), ("IM", "IM1 1AA"))
    assert is_border_between(("CH", "8001"), ("DE", "50667"))
    assert is_border_between(("GB", "SW1A 1AA"), ("GB", "BT1 5GS"))


def test_goods_that_are_known_miss_nothing():
    assert MUG.missing == []


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("customs_description", " ", "customs_description"),
        ("hs_code", "69120", "hs_code"),
        ("origin_country", "", "origin_country"),
        ("weight_g", None, "weight_g"),
        ("value", None, "value"),
        ("value", Decimal(0), "value"),
        ("currency", "", "value"),
    ],
)
def test_what_is_missing_is_named(field, value, name):
    assert dataclasses.replace(MUG, **{field: value}).missing == [name]


@pytest.mark.parametrize(
    ("value", "currency", "grams", "form"),
    [
        ("360.00", "EUR", 2000, "CN22"),
        ("360.01", "EUR", 2000, "CN23"),
        ("1.00", "EUR", 2001, "CN23"),
        ("1.00", "JPY", 100, "CN23"),
    ],
)
def test_form_depends_on_value_and_weight(value, currency, grams, form):
    assert form_for(Decimal(value), currency, grams, {"EUR": "1.20"}) == form
