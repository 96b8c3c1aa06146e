import pytest
from django.contrib.auth.models import AnonymousUser

from fulfillment.core.access import permissions_at
from fulfillment.core.models import Membership, Permission, Role, User
from tests.factories.core import FacilityFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def role():
    return Role.objects.create(key="own", name="Own", permissions=[Permission.PICK])


def test_role_at_a_facility_counts_there_only(role):
    here, there = FacilityFactory(), FacilityFactory()
    user = User.objects.create_user("anna@example.com")
    Membership.objects.create(user=user, role=role, facility=here)

    assert permissions_at(user, here) == {Permission.PICK}
    assert permissions_at(user, there) == frozenset()
    assert permissions_at(user) == frozenset()


def test_network_wide_role_counts_everywhere(role):
    user = User.objects.create_user("anna@example.com")
    Membership.objects.create(user=user, role=role)

    assert permissions_at(user, FacilityFactory()) == {Permission.PICK}
    assert permissions_at(user) == {Permission.PICK}


def test_superuser_may_everything():
    user = User.objects.create_superuser("root@example.com")

    assert permissions_at(user) == set(Permission.values)


def test_inactive_and_anonymous_may_nothing(role):
    user = User.objects.create_user("anna@example.com", is_active=False)
    Membership.objects.create(user=user, role=role)

    assert permissions_at(user) == frozenset()
    assert permissions_at(AnonymousUser()) == frozenset()


def test_memberships_are_read_once(role, django_assert_num_queries):
    here = FacilityFactory()
    user = User.objects.create_user("anna@example.com")
    Membership.objects.create(user=user, role=role, facility=here)

    with django_assert_num_queries(1):
        permissions_at(user, here)
        permissions_at(user)
