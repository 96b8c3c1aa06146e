"""The routing configuration: a draft that staff edit, published as numbered revisions."""

import json

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.models import User
from routing import rules
from routing.events import RevisionPublished
from routing.models import FenceSetting, RatingSetting, RoutingConfiguration, RoutingRevision


class UnfitConfiguration(Refused):
    text = _("The draft cannot be used: %(reason)s")


@transaction.atomic
def publish(*, comment="", by, now):
    """Make the draft the numbered revision that decisions follow from now on. Refuses one that cannot be judged."""
    draft = complete_draft()  # locks the draft: two publications get two numbers
    data = revision_data(draft)
    judge(data)
    last = RoutingRevision.objects.order_by("-number").first()
    revision = RoutingRevision.objects.create(
        number=last.number + 1 if last else 1,
        data=data,
        comment=comment,
        published_at=now,
        published_by=by if isinstance(by, User) else None,
    )
    emit(RevisionPublished(number=revision.number), by=by, now=now)
    return revision


def draft_tree():
    """The strategy tree of the draft. Refuses one that no order could be routed by."""
    data = revision_data(complete_draft())
    judge(data)
    return rules.read_tree(data)


def judge(data):
    """Refuse data of a revision that no order could be routed by."""
    try:
        rules.read_tree(data)
    except rules.BadRule as error:
        raise UnfitConfiguration(reason=error) from error


def revision_data(draft):
    """The draft as a revision stores it."""
    fences = [fence for fence in draft.fences.all() if fence.is_active]
    ratings = [rating for rating in draft.ratings.all() if rating.is_active]
    return {
        "fences": [fence.use for fence in fences],
        "ratings": [
            {"key": rating.use, "weight": str(rating.weight)}
            | ({} if rating.best is None else {"scale": [rating.best, rating.worst]})
            for rating in ratings
        ],
        "rules": {
            setting.use: setting.rule
            for settings in (draft.fences.all(), draft.ratings.all())
            for setting in settings
            if setting.rule
        },
        "split": {
            "is_active": draft.is_split_active,
            "max_count": draft.max_split_count,
            "mode": draft.split_mode,
            "least_units": draft.least_units,
            "for_sameday": draft.split_sameday,
        },
        "partly_reservable": draft.partly_reservable,
        "stop_after_hours": draft.stop_after_hours,
        "time_zone": draft.time_zone,
        "reroute": {
            "missing": draft.missing_units,
            "after_minutes": draft.reroute_after_minutes,
            "within_hours": draft.reroute_within_hours,
            "offline": draft.reroute_offline,
        },
        "nodes": _nodes(list(draft.nodes.all()), None),
    }


def _nodes(nodes, parent_id):
    return [
        {
            "name": node.name,
            "condition": node.condition,
            "changes": node.changes,
            "nodes": _nodes(nodes, node.pk),
        }
        for node in nodes
        if node.parent_id == parent_id
    ]


@transaction.atomic
def complete_draft():
    """The draft, with a row for every fence and rating that the code has; new ones begin switched off."""
    draft, _created = RoutingConfiguration.objects.select_for_update().get_or_create(pk=1)
    fences = set(draft.fences.values_list("key", flat=True))
    FenceSetting.objects.bulk_create(
        FenceSetting(configuration=draft, key=key, is_active=False)
        for key, fence in rules.FENCES.items()
        if key not in fences and not fence.is_own
    )
    ratings = set(draft.ratings.values_list("key", flat=True))
    RatingSetting.objects.bulk_create(
        RatingSetting(configuration=draft, key=key, is_active=False)
        for key, rating in rules.RATINGS.items()
        if key not in ratings and not rating.is_own
    )
    return draft


def differences(draft):
    """What publishing the draft would change: (number of the revision in use, [what differs])."""
    revision = RoutingRevision.objects.order_by("-number").first()
    used, wanted = _settings(revision.data), _settings(revision_data(draft))
    changes = [
        f"{name}: {used.get(name, '–')} → {wanted.get(name, '–')}"
        for name in sorted(used.keys() | wanted.keys())
        if used.get(name) != wanted.get(name)
    ]
    return revision.number, changes


def _settings(data):
    """A revision's data as flat words: ``{"GEODISTANCE": "2.00"}``."""
    return {
        **dict.fromkeys(data["fences"], str(_("active"))),
        **{rating["key"]: str(rating["weight"]) for rating in data["ratings"]},
        **{f"{rating['key']} ↔": str(rating["scale"]) for rating in data["ratings"] if rating.get("scale")},
        **{f"split.{name}": value for name, value in (rules.SPLIT | data["split"]).items()},
        **{name: _text(rule) for name, rule in data.get("rules", {}).items()},
        **{f"node {node['name']}": _text(node) for node in data.get("nodes", [])},
        **{f"reroute.{name}": value for name, value in (rules.REROUTE | data.get("reroute", {})).items()},
        "partly_reservable": data["partly_reservable"],
        "stop_after_hours": data["stop_after_hours"],
    }


def _text(data):
    # A database may give the keys of an object in another order than they were written.
    return json.dumps(data, sort_keys=True, ensure_ascii=False)
