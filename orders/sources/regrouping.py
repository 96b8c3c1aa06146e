"""A shop may divide an order among other addresses after it came in: ship groups that it no longer has are let go.

Without that its new groups would be placed, and shipped, beside what was placed before.
"""

from orders import services
from orders.models import Order

from .drafts import Action

LEFT = "left"  # among the facts of a link: the shop took its ship group back


def gone(drafts, links):
    """[(drafts of an order as it is now, links of its ship groups that it no longer has)]"""
    by_order: dict[str, list] = {}
    for draft in drafts:
        by_order.setdefault(draft.order_id, []).append(draft)
    found = []
    for order_id, own in by_order.items():
        newest = max(map(_age, own))
        current = [draft for draft in own if _age(draft) == newest]
        # A message that only names the order, and lines without an address, do not tell the groups.
        if any(draft.strays for draft in current) or all(draft.action != Action.IMPORT for draft in current):
            continue
        groups = {draft.group for draft in current}
        lost = [
            link
            for key, link in links.items()
            if key[0] == order_id
            and key[1] not in groups
            and link.order_id is not None
            and LEFT not in link.facts
            and not current[0].is_older_than(link.version, link.source_updated_at)
        ]
        if lost:
            found.append((current, lost))
    return found


def _age(draft):
    return draft.version or 0, draft.updated_at.timestamp() if draft.updated_at else 0


def let_go(connection, lost, *, now):
    """Cancel the orders of ship groups that are no more; refuses what a later stage refuses because it has begun."""
    for order in Order.objects.filter(pk__in=[link.order_id for link in lost]).lock_all():
        if order.status in Order.LIVE:
            reason = "The shop divided the order among other addresses."
            services.cancel(order.pk, by=connection, now=now, reason=reason)
    for link in lost:
        link.facts, link.digest = {**link.facts, LEFT: True}, ""
        link.save(update_fields=["facts", "digest"])
