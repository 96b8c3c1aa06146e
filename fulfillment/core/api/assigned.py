"""For whom a job is meant, in the wire format."""

from django.db.models import Q
from rest_framework.exceptions import ValidationError

from ..access import permissions_at
from ..models import User
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
    return [{"userId": str(user.pk), "username": user.email} for user in job.assigned_users.all()]


def read_assigned(named, facility, permission):
    """The people whom a body names by id or e-mail.

    Raises:
        ValidationError: there is no such person, or none who may do this work at the facility.
    """
    found = []
    for index, name in enumerate(named):
        by_id = {"pk": paging.as_number(name.get("userId"))}
        wanted = by_id if "userId" in name else {"email__iexact": name["username"]}
        user = User.objects.filter(**wanted).first()
        if user is None or permission not in permissions_at(user, facility):
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
