"""The routing configuration: a draft that staff edit, published as numbered revisions."""

import json

from django.db import transaction
from django.utils import formats
from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.models import Article, Carrier, Channel, Facility, User
from routing import rules
from routing.events import RevisionPublished
from routing.explanations import fence_label, rule_label
from routing.models import (
    FallbackFacility,
    FenceSetting,
    RatingSetting,
    RoutingConfiguration,
    RoutingRevision,
    StrategyNode,
)


class UnfitConfiguration(Refused):
    text = _("The draft cannot be used: %(reason)s")


@transaction.atomic
def publish(*, comment="", by, now):
    """Make the draft the numbered revision that decisions follow from now on. Refuses one that cannot be judged."""
    draft = complete_draft()  # locks the draft: two publications get two numbers
    data = checked_data(draft)
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


@transaction.atomic
def weigh(weights, fences):
    """Change the draft: ``{rating id: weight}``, 0 switches it off, and ``{fence id: whether it is active}``."""
    draft = complete_draft()
    for rating in draft.ratings.filter(pk__in=weights):
        weight = weights[rating.pk]
        rating.weight, rating.is_active = weight or rating.weight, weight > 0
        rating.save(update_fields=["weight", "is_active"])
    for fence in draft.fences.filter(pk__in=fences):
        fence.is_active = fences[fence.pk]
        fence.save(update_fields=["is_active"])
    return draft


@transaction.atomic
def use_again(number, *, by, now):
    """Make an earlier revision the draft and publish it as the next one. Refuses one that no order can be routed by."""
    load_draft(RoutingRevision.objects.get(pk=number).data)
    comment = _("As revision %(number)s was") % {"number": number}
    return publish(comment=comment, by=by, now=now)


def load_draft(data):
    """Make the draft what the data of a revision says. Facilities that are gone are left out as fallback."""
    draft = complete_draft()
    split, reroute = rules.SPLIT | data["split"], rules.REROUTE | data.get("reroute", {})
    fallback = rules.FALLBACK | data.get("fallback", {})
    draft.is_split_active, draft.max_split_count = split["is_active"], split["max_count"]
    draft.split_mode, draft.least_units = split["mode"], split["least_units"]
    draft.least_value = split["least_value"]
    draft.split_sameday = split["for_sameday"]
    draft.partly_reservable, draft.stop_after_hours = data["partly_reservable"], data["stop_after_hours"]
    draft.time_zone = _time_zone(data)
    draft.missing_units, draft.reroute_offline = reroute["missing"], reroute["offline"]
    draft.reroute_after_minutes, draft.reroute_within_hours = (
        reroute["after_minutes"],
        reroute["within_hours"],
    )
    draft.reroute_idle_minutes, draft.reroute_blacklist = reroute["idle_minutes"], reroute["blacklist"]
    draft.fallback_after_minutes = fallback["after_minutes"]
    draft.save()
    _load_rules(draft, data)
    draft.fallback_facilities.all().delete()
    known = {
        facility.tenant_facility_id: facility
        for facility in Facility.objects.filter(tenant_facility_id__in=fallback["facilities"])
    }
    FallbackFacility.objects.bulk_create(
        FallbackFacility(configuration=draft, facility=known[number], position=position)
        for position, number in enumerate(fallback["facilities"], start=1)
        if number in known
    )
    draft.nodes.all().delete()
    _load_nodes(draft, data.get("nodes", []), None)


def _load_rules(draft, data):
    fences, ratings = set(data["fences"]), {rating["key"]: rating for rating in data["ratings"]}
    draft.fences.exclude(name="").delete()
    draft.ratings.exclude(name="").delete()
    weighed = ratings.keys() | _weighed_below(data.get("nodes", []))
    for use, rule in data.get("rules", {}).items():
        key, _dot, name = use.partition(".")
        model = RatingSetting if use in weighed else FenceSetting
        model.objects.create(configuration=draft, key=key, name=name, rule=rule, is_active=False)
    for fence in draft.fences.all():
        fence.is_active = fence.use in fences
        fence.save(update_fields=["is_active"])
    for setting in draft.ratings.all():
        rating = ratings.get(setting.use)
        setting.is_active = rating is not None
        if rating is not None:
            setting.weight = rating["weight"]
            setting.best, setting.worst = rating.get("scale") or (None, None)
        setting.save(update_fields=["is_active", "weight", "best", "worst"])


def _weighed_below(nodes):
    """Own ratings that only a node gives a weight."""
    return {
        use for node in nodes for use in [*node["changes"].get("weights", {}), *_weighed_below(node["nodes"])]
    }


def _load_nodes(draft, nodes, parent):
    for position, node in enumerate(nodes, start=1):
        row = StrategyNode.objects.create(
            configuration=draft,
            parent=parent,
            position=position,
            name=node["name"],
            condition=node["condition"],
            changes=node["changes"],
        )
        _load_nodes(draft, node["nodes"], row)


def draft_tree():
    """The strategy tree of the draft. Refuses one that no order could be routed by."""
    return rules.read_tree(checked_data(complete_draft()))


def checked_data(draft):
    """The data of a revision that the draft would be. Refuses one that no order could be routed by."""
    data = revision_data(draft)
    judge(data)
    return data


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
            "least_value": float(draft.least_value),
            "for_sameday": draft.split_sameday,
        },
        "partly_reservable": draft.partly_reservable,
        "stop_after_hours": draft.stop_after_hours,
        "time_zone": draft.time_zone,
        "reroute": {
            "missing": draft.missing_units,
            "after_minutes": draft.reroute_after_minutes,
            "within_hours": draft.reroute_within_hours,
            "idle_minutes": draft.reroute_idle_minutes,
            "blacklist": draft.reroute_blacklist,
            "offline": draft.reroute_offline,
        },
        "fallback": {
            "facilities": [
                entry.facility.tenant_facility_id
                for entry in draft.fallback_facilities.select_related("facility")
            ],
            "after_minutes": draft.fallback_after_minutes,
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


_NAMING = {"EQUALS", "NOT_EQUALS", "IN", "NOT_IN"}
# What a rule may name that has to be there for the rule to mean anything.
_NAMED = {
    ("CARRIER", "key"): (Carrier, "key", _("carrier")),
    ("FACILITY", "tenantFacilityId"): (Facility, "tenant_facility_id", _("facility")),
    ("ORDER", "channel"): (Channel, "key", _("channel")),
    ("LISTING", "tenantArticleId"): (Article, "sku", _("article")),
}


def loose_ends(data):
    """What a configuration names and nobody has, a sentence each. It can be used all the same: it may come yet.

    A fence that asks for a carrier that is not there keeps every facility out; a fallback facility that is gone is
    passed over.
    """
    named: dict = {}
    for one in rules.predicates(rules.read_tree(data)):
        if (kind := _NAMED.get((one.entity, one.path))) and one.operator in _NAMING:
            named.setdefault(kind, set()).update(one.value if isinstance(one.value, tuple) else [one.value])
    numbers = set((rules.FALLBACK | data.get("fallback", {}))["facilities"])
    if numbers:
        named.setdefault(_NAMED["FACILITY", "tenantFacilityId"], set()).update(numbers)
    found = []
    for (model, field, label), values in named.items():
        known = set(model.objects.filter(**{f"{field}__in": values}).values_list(field, flat=True))
        found += [
            _("A rule names the %(kind)s “%(value)s”, which is not there.") % {"kind": label, "value": value}
            for value in sorted(values - known)
        ]
    return found


def differences(draft):
    """What publishing the draft would change: (number of the revision in use, [what differs])."""
    revision = RoutingRevision.objects.order_by("-number").first()
    return revision.number, differing(revision.data, revision_data(draft))


def differing(used, wanted):
    """What is different in the data of two revisions, a line each."""
    used, wanted = _settings(used), _settings(wanted)
    return [
        f"{name}: {used.get(name, _('off'))} → {wanted.get(name, _('off'))}"
        for name in sorted(used.keys() | wanted.keys(), key=str)
        if used.get(name) != wanted.get(name)
    ]


def history(most=10):
    """The last revisions, the newest first, each with what it changed: ``[(revision, [line])]``."""
    revisions = list(RoutingRevision.objects.select_related("published_by").order_by("-number")[: most + 1])
    before = [*(one.data for one in revisions[1:]), revisions[-1].data]
    return [(one, differing(old, one.data)) for one, old in zip(revisions, before, strict=True)][:most]


# The fields of the draft that a revision keeps in groups.
_FIELDS = {
    "split": {
        "is_active": "is_split_active",
        "max_count": "max_split_count",
        "mode": "split_mode",
        "least_units": "least_units",
        "least_value": "least_value",
        "for_sameday": "split_sameday",
    },
    "reroute": {
        "missing": "missing_units",
        "after_minutes": "reroute_after_minutes",
        "within_hours": "reroute_within_hours",
        "idle_minutes": "reroute_idle_minutes",
        "blacklist": "reroute_blacklist",
        "offline": "reroute_offline",
    },
    "fallback": {"after_minutes": "fallback_after_minutes"},
}


def _settings(data):
    """A revision's data in words: ``{"Weight of Distance": "2"}``."""
    groups = {
        "split": rules.SPLIT | data["split"],
        "reroute": rules.REROUTE | data.get("reroute", {}),
        "fallback": rules.FALLBACK | data.get("fallback", {}),
    }
    plain = {
        field: groups[group][name] for group, fields in _FIELDS.items() for name, field in fields.items()
    }
    plain |= {name: data[name] for name in ("partly_reservable", "stop_after_hours")}
    plain["time_zone"] = _time_zone(data)
    return {
        **{_("Fence %(name)s") % {"name": fence_label(use)}: _("on") for use in data["fences"]},
        **{
            _("Weight of %(name)s") % {"name": rule_label(rules.RATINGS, rating["key"])}: _plain(
                float(rating["weight"])
            )
            for rating in data["ratings"]
        },
        **{
            _("Scale of %(name)s") % {"name": rule_label(rules.RATINGS, rating["key"])}: " – ".join(
                map(_plain, rating["scale"])
            )
            for rating in data["ratings"]
            if rating.get("scale")
        },
        **{
            _("Rule %(name)s") % {"name": use.partition(".")[2]}: str(rules.read_rule(rule))
            for use, rule in data.get("rules", {}).items()
        },
        **{
            _("Strategy node %(name)s") % {"name": node["name"]}: _text(node)
            for node in data.get("nodes", [])
        },
        **{_label(field): _plain(value, field) for field, value in plain.items()},
        str(FallbackFacility._meta.verbose_name_plural): ", ".join(groups["fallback"]["facilities"]) or "–",
    }


def _time_zone(data):
    """The first revision, which has no rule that asks for it, does not name one."""
    return data.get("time_zone", RoutingConfiguration._meta.get_field("time_zone").default)


def _label(field):
    return str(RoutingConfiguration._meta.get_field(field).verbose_name)


def _plain(value, field=None):
    """A value as staff read it."""
    choices = dict(RoutingConfiguration._meta.get_field(field).flatchoices) if field else {}
    if value in choices:
        return str(choices[value])
    if isinstance(value, bool):
        return str(_("on") if value else _("off"))
    if isinstance(value, (int, float)):
        return formats.localize(int(value) if value == int(value) else value)
    return "–" if value is None else str(value)


def _text(data):
    # A database may give the keys of an object in another order than they were written.
    return json.dumps(data, sort_keys=True, ensure_ascii=False)
