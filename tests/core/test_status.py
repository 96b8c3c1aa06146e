import datetime

import pytest
from django.db import transaction
from django.utils import timezone

from fulfillment.core.errors import VersionConflict, WrongStatus
from fulfillment.core.models import Facility, StatusChange, User
from fulfillment.core.status import check_version, compare_version, log_created, transit
from orders.models import Order
from tests.factories.core import FacilityFactory

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


def test_transit_saves_status_version_and_log():
    facility = FacilityFactory()
    user = User.objects.create_user("anna@example.com")

    with transaction.atomic():
        transit(facility.suspend, by=user, now=NOON, reason="Stocktaking")

    facility.refresh_from_db()
    assert (facility.status, facility.version) == (Facility.Status.SUSPENDED, 2)
    change = StatusChange.objects.get()
    assert (change.entity, change.entity_id, change.action) == ("core.facility", facility.pk, "suspend")
    assert (change.before, change.after, change.by, change.at) == ("ONLINE", "SUSPENDED", user, NOON)
    assert change.reason == "Stocktaking"


def test_transit_writes_only_what_changed(django_assert_num_queries):
    facility = FacilityFactory()
    Facility.objects.filter(pk=facility.pk).update(name="Renamed meanwhile")

    with transaction.atomic(), django_assert_num_queries(2):
        transit(facility.suspend, by=None, now=NOON)

    facility.refresh_from_db()
    assert facility.name == "Renamed meanwhile"


@pytest.mark.django_db(transaction=True)
def test_transit_refuses_without_a_transaction():
    facility = FacilityFactory()

    with pytest.raises(RuntimeError):
        transit(facility.suspend, by=None, now=NOON)


def test_wrong_status_is_refused_and_logs_nothing():
    order = Order(tenant_order_id="S-1")

    with pytest.raises(WrongStatus) as refused, transaction.atomic():
        transit(order.unlock, by=None, now=NOON)

    assert refused.value.code == "WRONG_STATUS"
    assert refused.value.english == "S-1 is Open; “unlock” is not possible now."
    assert not StatusChange.objects.exists()


def test_status_cannot_be_assigned():
    facility = FacilityFactory()

    with pytest.raises(AttributeError):
        facility.status = Facility.Status.OFFLINE


def test_refresh_of_single_fields_keeps_the_protection():
    facility = FacilityFactory()

    facility.refresh_from_db(fields=["status", "name"])

    with pytest.raises(AttributeError):
        facility.status = Facility.Status.OFFLINE


def test_log_created_writes_one_query_for_many(django_assert_num_queries):
    facilities = [FacilityFactory(), FacilityFactory()]

    with transaction.atomic(), django_assert_num_queries(1):
        log_created(*facilities, by=None, now=timezone.now())

    assert StatusChange.objects.filter(before="", after="ONLINE").count() == 2


def test_other_version_is_a_conflict():
    facility = FacilityFactory()

    with pytest.raises(VersionConflict) as conflict:
        check_version(facility, 7)

    assert conflict.value.params == {"requested": 7, "current": 1}
    assert conflict.value.status_code == 409


def test_unknown_version_is_no_conflict():
    check_version(FacilityFactory(), None)


def test_version_that_is_not_of_a_row_is_compared_alike():
    compare_version(3, 3)
    compare_version(3, None)

    with pytest.raises(VersionConflict) as conflict:
        compare_version(3, 7)

    assert conflict.value.params == {"requested": 7, "current": 3}
