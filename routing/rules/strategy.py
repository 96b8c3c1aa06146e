"""The strategy tree: the root holds for every order, a node changes some of it for the orders that meet its condition.

From the root down, the conditions of a level are asked in their order; the first that holds leads into its node, and
there it goes on. A node inherits everything that it does not name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _

from routing.rules.custom import BadRule, Part, Predicate, read_condition, read_rule
from routing.rules.facts import Absolute, Policy
from routing.rules.fences import FENCES
from routing.rules.ratings import MAX_WEIGHT, RATINGS
from routing.rules.registry import find

# What a node may change, beside fences, weights, scales and split.
PLAIN = ("partly_reservable", "stop_after_hours", "fallback", "reroute")
SPLIT = {
    "is_active": True,
    "max_count": 1,
    "mode": "EXACT",
    "least_units": 1,
    "least_value": 0,
    "for_sameday": False,
}
REROUTE = {
    "missing": "NONE",
    "after_minutes": None,
    "within_hours": 48,
    "idle_minutes": None,
    "blacklist": True,
    "offline": True,
}
FALLBACK: dict[str, Any] = {"facilities": [], "after_minutes": 0}
MOST_LEVELS = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for an order. ``plain`` are the values that the steps of routing read, not the rules."""

    policy: Policy
    splits_sameday: bool
    plain: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def policy_for(self, is_sameday: bool) -> Policy:
        """Same-day orders are split only when that is switched on."""
        if is_sameday and not self.splits_sameday:
            return _whole(self.policy)
        return self.policy


def _whole(policy):
    return Policy(
        policy.fences,
        policy.weights,
        may_split=False,
        is_exact=policy.is_exact,
        scales=policy.scales,
        rules=policy.rules,
    )


@dataclass(frozen=True, slots=True)
class Node:
    """A settled place in the tree: what holds there, and the nodes below with their conditions."""

    name: str
    settings: Settings
    below: tuple[tuple[Part, "Node"], ...] = ()


def choose(root: Node, attributes: Mapping[str, Any]) -> tuple[Settings, tuple[str, ...]]:
    """The settings for an order with these attributes, and the names of the nodes on the way."""
    node, path = root, []
    while True:
        for condition, below in node.below:
            if condition.holds(lambda _entity: (attributes,)):
                node = below
                path.append(below.name)
                break
        else:
            return node.settings, tuple(path)


def read_tree(data: Mapping[str, Any]) -> Node:
    """The tree that the data of a revision describes.

    Raises:
        BadRule: a condition or own rule that cannot be judged.
    """
    settled = {
        "fences": dict.fromkeys(data["fences"], True),
        "weights": {rating["key"]: float(rating["weight"]) for rating in data["ratings"]},
        "scales": {rating["key"]: rating["scale"] for rating in data["ratings"] if rating.get("scale")},
        "split": SPLIT | data["split"],
        **{name: data[name] for name in PLAIN if name in data},
    }
    rules = {use: read_rule(rule) for use, rule in data.get("rules", {}).items()}
    return _node("", settled, data.get("nodes", []), rules)


def _node(name, settled, nodes, rules):
    below = []
    for node in nodes:
        changed = merged(settled, node["changes"])
        below.append(
            (read_condition(node["condition"]), _node(node["name"], changed, node.get("nodes", []), rules))
        )
    return Node(name, _settings(settled, rules), tuple(below))


def merged(settled, changes):
    """Settings with the changes of a node: maps are changed entry by entry, everything else is replaced."""
    return settled | {
        name: {**settled[name], **value}
        if isinstance(value, dict) and isinstance(settled.get(name), dict)
        else value
        for name, value in changes.items()
    }


def every(node: Node) -> Iterator[Settings]:
    """The settings of a node and of all below it."""
    yield node.settings
    for _condition, below in node.below:
        yield from every(below)


def predicates(node: Node) -> Iterator[Predicate]:
    """Every comparison of the conditions and own rules of a node and of all below it."""
    for rule in node.settings.policy.rules.values():
        yield from rule.then.predicates
        if rule.when is not None:
            yield from rule.when.predicates
    for condition, below in node.below:
        yield from condition.predicates
        yield from predicates(below)


def _settings(settled, rules):
    for name, register in (("fences", FENCES), ("weights", RATINGS)):
        for use in settled[name]:
            rule = find(register, use)
            if rule is not None and rule.is_own and use not in rules:
                raise BadRule(
                    _("%(name)s.%(use)s: there is no own rule of that name.") % {"name": name, "use": use}
                )
    split = settled["split"]
    if split["is_active"] and settled["fences"].get("COMPLETE_STOCK"):
        raise BadRule(_("Either orders are split or a facility must have the complete order, not both."))
    policy = Policy(
        fences=frozenset(use for use, is_on in settled["fences"].items() if is_on),
        weights=settled["weights"],
        may_split=split["is_active"],
        max_split_count=split["max_count"],
        is_exact=split["mode"] == "EXACT",
        least_units=split["least_units"],
        least_value=float(split["least_value"]),
        scales={use: Absolute(*ends) for use, ends in settled["scales"].items() if ends},
        rules=rules,
    )
    return Settings(policy, split["for_sameday"], {name: settled[name] for name in PLAIN if name in settled})


def check_changes(changes):
    """Refuse changes of a node that name or mean nothing.

    Raises:
        BadRule: what is not known, or has a value that it cannot have.
    """
    if not isinstance(changes, dict):
        raise BadRule(_("Changes are an object of settings."))
    for name, value in changes.items():
        if name not in _CHECKS:
            raise BadRule(
                _("“%(name)s” cannot be changed; known are %(names)s.")
                % {"name": name, "names": ", ".join(_CHECKS)}
            )
        _CHECKS[name](name, value)


def _entries(check):
    def of_all(name, value):
        if not isinstance(value, dict):
            raise BadRule(_("%(name)s: must be an object.") % {"name": name})
        for key, one in value.items():
            check(f"{name}.{key}", key, one)

    return of_all


def _fence(path, use, value):
    if not find(FENCES, use):
        raise BadRule(_("%(path)s: there is no such fence.") % {"path": path})
    _boolean(path, value)


def _weight(path, use, value):
    if not find(RATINGS, use):
        raise BadRule(_("%(path)s: there is no such rating.") % {"path": path})
    if not _is_number(value) or not 0 <= value <= MAX_WEIGHT:
        raise BadRule(
            _("%(path)s: must be a number from 0 to %(most)s.") % {"path": path, "most": MAX_WEIGHT}
        )


def _scale(path, use, value):
    if not find(RATINGS, use):
        raise BadRule(_("%(path)s: there is no such rating.") % {"path": path})
    if value is not None and not (
        isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and value[0] != value[1]
    ):
        raise BadRule(
            _("%(path)s: must be [best, worst] with two different numbers, or null.") % {"path": path}
        )


def _split(path, name, value):
    if name not in SPLIT:
        raise BadRule(_("%(path)s: known are %(names)s.") % {"path": path, "names": ", ".join(SPLIT)})
    if name == "mode":
        _one_of("EXACT", "GREEDY")(path, value)
    elif name == "least_value":
        if not _is_number(value) or value < 0:
            raise BadRule(_("%(path)s: must be a number from 0.") % {"path": path})
    elif name in ("is_active", "for_sameday"):
        _boolean(path, value)
    else:
        _whole_number(path, value, 0 if name == "max_count" else 1, 20 if name == "max_count" else 10_000)


def _reroute(path, name, value):
    if name not in REROUTE:
        raise BadRule(_("%(path)s: known are %(names)s.") % {"path": path, "names": ", ".join(REROUTE)})
    if name == "missing":
        _one_of("NONE", "SPLIT", "REROUTE", "REROUTE_UNTOUCHED")(path, value)
    elif name in ("blacklist", "offline"):
        _boolean(path, value)
    elif name == "within_hours" or value is not None:
        least = {"after_minutes": 5, "within_hours": 1, "idle_minutes": 60}[name]
        _whole_number(path, value, least, 100_000)


def _fallback(path, name, value):
    if name not in FALLBACK:
        raise BadRule(_("%(path)s: known are %(names)s.") % {"path": path, "names": ", ".join(FALLBACK)})
    if name == "after_minutes":
        _whole_number(path, value, 0, 100_000)
    elif not isinstance(value, list) or not all(isinstance(number, str) for number in value):
        raise BadRule(_("%(path)s: must be a list of facility numbers.") % {"path": path})


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _boolean(path, value):
    if not isinstance(value, bool):
        raise BadRule(_("%(path)s: must be true or false.") % {"path": path})


def _whole_number(path, value, least, most):
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise BadRule(
            _("%(path)s: must be a whole number from %(least)s to %(most)s.")
            % {"path": path, "least": least, "most": most}
        )


def _one_of(*words):
    def check(path, value):
        if value not in words:
            raise BadRule(
                _("%(path)s: must be one of %(words)s.") % {"path": path, "words": ", ".join(words)}
            )

    return check


_CHECKS = {
    "fences": _entries(_fence),
    "weights": _entries(_weight),
    "scales": _entries(_scale),
    "split": _entries(_split),
    "fallback": _entries(_fallback),
    "reroute": _entries(_reroute),
    "partly_reservable": _one_of("WAIT", "ROUTE"),
    "stop_after_hours": lambda path, value: _whole_number(path, value, 1, 10_000),
}
