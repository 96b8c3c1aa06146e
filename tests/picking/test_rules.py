import pytest
from django.db import IntegrityError

from picking.batches import Limits
from picking.models import PickingRules
from picking.rules import rules_of

pytestmark = pytest.mark.django_db


def test_nobody_said_anything(facility):
    rules = rules_of(facility)

    assert (rules.methods, rules.limits, rules.may_take_over) == (("SINGLE_ORDER",), Limits(8), True)


def test_facility_goes_before_the_network_field_by_field(facility):
    PickingRules.objects.create(methods=["BATCH"], most_jobs=20, most_weight_g=9000, may_take_over=False)
    PickingRules.objects.create(facility=facility, most_jobs=4, may_take_over=True)

    rules = rules_of(facility)

    assert rules.methods == ("BATCH",)
    assert rules.limits == Limits(4, weight_g=9000)
    assert rules.may_take_over


@pytest.mark.parametrize("most_jobs", [0, 101])
def test_run_has_one_to_a_hundred_jobs(most_jobs):
    with pytest.raises(IntegrityError):
        PickingRules.objects.create(most_jobs=most_jobs)


def test_network_has_one_row():
    PickingRules.objects.create()

    with pytest.raises(IntegrityError):
        PickingRules.objects.create()
