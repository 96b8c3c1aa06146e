import datetime

import pytest

from fulfillment.core.errors import VersionConflict
from fulfillment.core.models import Facility, OutboxEntry, StatusChange
from fulfillment.core.services import facilities
from tests.factories.core import FacilityFactory, staff

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def announcements():
    return OutboxEntry.objects.filter(event="FacilityChanged", handler__endswith="retry_waiting").count()


def test_create_stores_logs_and_announces():
    facility = facilities.create(FacilityFactory.build(slug="new"), by=None, now=NOON)

    assert Facility.objects.get(slug="new") == facility
    assert StatusChange.objects.get().after == "ONLINE"
    assert announcements() == 1


@pytest.mark.parametrize(
    ("values", "announced"), [({"services": ["PICKUP"]}, 1), ({"city": "Utrecht"}, 1), ({"phone": "1"}, 0)]
)
def test_change_announces_only_what_moves_orders(values, announced):
    facility = FacilityFactory()

    facilities.change(facility.pk, values, by=None, now=NOON)

    facility.refresh_from_db()
    assert {name: getattr(facility, name) for name in values} == values
    assert (facility.version, announcements()) == (2, announced)


def test_change_without_a_difference_changes_nothing():
    facility = FacilityFactory()

    facilities.change(facility.pk, {"city": facility.city}, by=None, now=NOON)

    facility.refresh_from_db()
    assert (facility.version, announcements()) == (1, 0)


def test_change_refuses_another_short_name_and_an_old_version():
    facility = FacilityFactory(slug="here")

    with pytest.raises(facilities.SlugIsFixed):
        facilities.change(facility.pk, {"slug": "there"}, by=None, now=NOON)
    with pytest.raises(VersionConflict):
        facilities.change(facility.pk, {"city": "Utrecht"}, version=7, by=None, now=NOON)

    facility.refresh_from_db()
    assert (facility.slug, facility.city) == ("here", "Amsterdam")


def test_status_goes_through_the_log_and_is_announced():
    facility, user = FacilityFactory(), staff("administrator")

    facilities.set_status(facility.pk, "OFFLINE", by=user, now=NOON, reason="Water damage")
    facilities.set_status(facility.pk, "OFFLINE", by=user, now=NOON)

    facility.refresh_from_db()
    change = StatusChange.objects.get()
    assert facility.status == "OFFLINE"
    assert (change.before, change.after, change.by, change.reason) == (
        "ONLINE",
        "OFFLINE",
        user,
        "Water damage",
    )
    assert announcements() == 1


def test_unknown_status_is_refused():
    with pytest.raises(facilities.UnknownStatus):
        facilities.set_status(FacilityFactory().pk, "GONE", by=None, now=NOON)
