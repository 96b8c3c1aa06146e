"""Who may call an operation: an API token by its scopes, a person by the permissions of the roles."""

from typing import NamedTuple

from rest_framework.exceptions import PermissionDenied

from ..access import permissions_at
from ..models import ApiToken, Permission


class Access(NamedTuple):
    """What an operation asks for: a scope of a token, or a permission of a person (None: any role)."""

    scope: ApiToken.Scope
    permission: Permission | None


READ = Access(ApiToken.Scope.READ, None)
ORDERS = Access(ApiToken.Scope.ORDERS, Permission.ORDERS)
STOCK = Access(ApiToken.Scope.STOCK, Permission.STOCK)
FACILITIES = Access(ApiToken.Scope.STOCK, Permission.SUPERVISE)
SUPERVISE = Access(ApiToken.Scope.OPERATIONS, Permission.SUPERVISE)
PICK = Access(ApiToken.Scope.OPERATIONS, Permission.PICK)
PACK = Access(ApiToken.Scope.OPERATIONS, Permission.PACK)
SHIP = Access(ApiToken.Scope.OPERATIONS, Permission.SHIP)
HAND_OVER = Access(ApiToken.Scope.OPERATIONS, Permission.HAND_OVER)
RETURNS = Access(ApiToken.Scope.OPERATIONS, Permission.RETURNS)


def require(caller, access):
    """Refuse a caller that may do this nowhere.

    Raises:
        PermissionDenied: the token lacks the scope, or the roles of the person the permission.
    """
    if isinstance(caller, ApiToken):
        if access.scope not in caller.scopes:
            raise PermissionDenied(f"The token lacks the scope {access.scope}.")
        if caller.is_sandbox and access.scope not in ApiToken.SANDBOX_SCOPES:
            raise PermissionDenied("A sandbox token reads and sends orders; stock and work are real.")
    elif reach(caller, access) == set():
        raise PermissionDenied(f"Your roles do not include {access.permission or 'any role'}.")


def reach(caller, access):
    """Ids of the facilities at which the caller may do this, None for all of them and the network."""
    if isinstance(caller, ApiToken):
        return set(caller.facilities.values_list("pk", flat=True)) or None
    everywhere = permissions_at(caller)
    if _includes(everywhere, access):
        return None
    return {facility for facility, granted in caller.granted.items() if _includes(granted, access)}


def _includes(granted, access):
    return bool(granted) if access.permission is None else access.permission in granted
