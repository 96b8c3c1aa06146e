import pytest
from django.utils import timezone

from fulfillment.core.services import stock
from fulfillment.demo import balance
from tests.factories.core import ArticleFactory, FacilityFactory, put_stock


def test_difference_is_empty_when_all_is_accounted_for():
    assert balance.difference({"MUG": 5, "LAMP": 2}, {"MUG": 3, "LAMP": 2}, {"MUG": 2}) == {}


def test_difference_names_what_is_missing_and_what_is_too_many():
    assert balance.difference({"MUG": 5}, {"MUG": 3, "LAMP": 1}, {"MUG": 1}) == {"LAMP": -1, "MUG": 1}


@pytest.mark.django_db
def test_picked_units_are_missing_until_they_are_handed_over():
    article = ArticleFactory(sku="MUG")
    row = put_stock(FacilityFactory(), article, 5)
    stock.correct(row.pk, 6, reason="Counted", by=None, now=timezone.now())
    stock.take([stock.Take(row.pk, 2)], by=None, now=timezone.now())

    received, shelves = balance.units_received(), balance.units_in_stock()

    assert (received, shelves, balance.units_handed_over()) == ({"MUG": 6}, {"MUG": 4}, {})
    assert balance.difference(received, shelves, {}) == {"MUG": 2}
    assert balance.difference(received, shelves, {"MUG": 2}) == {}
