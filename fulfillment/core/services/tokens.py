"""API tokens of shops."""

import time

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from ..errors import Refused
from ..models import ApiToken, Channel


class OtherKindOfChannel(Refused):
    text = _("Either all tokens of %(channel)s are for trying, or none. Choose another channel for this one.")


@transaction.atomic
def create(*, name, channel_name, scopes, is_sandbox=False, now):
    """A token for a sales channel, which is made when there is none of that name: (token, secret).

    The secret is in this answer only; the database keeps its hash. Refuses a sandbox token for a channel of real
    orders and the other way round.
    """
    channel = Channel.objects.filter(name__iexact=channel_name).first()
    if channel is None:
        channel = Channel.objects.create(
            name=channel_name, key=_free_key(channel_name), is_sandbox=is_sandbox
        )
    if channel.is_sandbox != is_sandbox:
        raise OtherKindOfChannel(channel=channel)
    token = ApiToken(name=name, channel=channel, scopes=sorted(scopes), created_at=now)
    secret = token.issue()
    token.save()
    return token, secret


def _free_key(name):
    wanted = slugify(name)[:40] or "shop"
    taken = set(Channel.objects.filter(key__startswith=wanted).values_list("key", flat=True))
    return next(
        key
        for number in range(len(taken) + 1)
        if (key := f"{wanted}-{number}" if number else wanted) not in taken
    )


def revoke(tokens, *, now):
    """End tokens at once (a queryset); they stay in the log of what they did. Returns how many."""
    count = tokens.filter(revoked_at=None).update(revoked_at=now)
    forget()
    return count


# A token is read again after so many seconds: a revoked one is refused that much later at most, in other processes.
KNOWN_FOR = 2
MOST_KNOWN = 10_000
_known: dict = {}  # digest: (token, until); entries are replaced whole, so threads may read it


def find(secret):
    """The token of a secret, as it was a moment ago at most; None for an unknown one."""
    digest = ApiToken.hash(secret)
    token, until = _known.get(digest, (None, 0))
    if until > time.monotonic():
        return token
    token = next(iter(ApiToken.objects.filter(digest=digest).select_related("channel")), None)
    if token is not None:
        if len(_known) > MOST_KNOWN:
            _known.clear()
        _known[digest] = (token, time.monotonic() + KNOWN_FOR)
    return token


def forget():
    """Read every token anew."""
    _known.clear()
