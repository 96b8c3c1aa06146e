"""For whom a job is meant, in the wire format."""

from django.db.models import Q
from rest_framework.exceptions import ValidationError

from ..queries import people_who_may
from . import paging
from .schema import List, Object, Text

MOST_USERS = 100
_name = Text(500)
assigned_user = Object({"userId": _name, "username": _name}, name="AssignedUser")
named_user = Object(
    optional={"userId": _name, "username": _name},
    closed=True,
    one_of=("userId", "username"),
    name="AssignedUserForCreation",
)
named_users = {"assignedUsers": List(named_user, most=MOST_USERS)}


def represent_assigned(job):
    """The people whom a job is meant for; reads what was loaded with it."""
    users = sorted(job.assigned_users.all(), key=lambda user: user.pk)
    return [{"userId": str(user.pk), "username": user.email} for user in users]


def read_assigned(named, facility, permission):
    """The people whom a body names by id or e-mail.

    Raises:
        ValidationError: there is no such person, or none who may do this work at the facility.
    """
    if not named:
        return []
    people = list(people_who_may(permission, facility))
    by_id = {user.pk: user for user in people}
    by_email = {user.email.lower(): user for user in people}
    found = []
    for index, name in enumerate(named):
        if "userId" in name:
            user = by_id.get(paging.as_number(name["userId"]))
        else:
            user = by_email.get(name["username"].lower())
        if user is None:
            raise ValidationError(
                {f"assignedUsers[{index}]": ["is nobody who does this work at this facility"]}
            )
        found.append(user)
    return found


def meant_for(rows, request):
    """Rows of a list that are meant for whom ``assignedUser`` names by id or e-mail; all without it."""
    if user := request.query_params.get("assignedUser", "")[:200]:
        named, number = Q(assigned_users__email__iexact=user), paging.as_number(user)
        rows = rows.filter(named if number is None else named | Q(assigned_users=number))
    return rows
