"""Own rules of staff: what order, facility, article and carrier must be like, as data that is judged and never run.

A rule is ``{"when": part, "then": part}``: where ``when`` holds (or is not given), ``then`` must hold. A part is
``{"connector": "AND" | "OR", "predicates": [predicate, ...]}``, a predicate
``{"entity", "path", "operator", "value"}``, with ``"every": true`` for what must hold of every article or carrier
instead of one. Paths are words with dots, see ``PATHS``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

TEXT, NUMBER, TEXTS, ANY = "text", "number", "texts", "any"
ENTITIES = {"ORDER": _("Order"), "FACILITY": _("Facility"), "LISTING": _("Article"), "CARRIER": _("Carrier")}
# What a rule may ask, with its type. A path that ends in a dot takes a name of the retailer's own behind it.
PATHS = {
    "ORDER": {
        "channel": TEXT,
        "country": TEXT,
        "postalCode": TEXT,
        "city": TEXT,
        "serviceLevel": TEXT,
        "kind": TEXT,
        "value": NUMBER,
        "units": NUMBER,
        "lines": NUMBER,
        "weekday": TEXT,
        "time": TEXT,
        "tags.": TEXTS,
        "customAttributes.": ANY,
    },
    "FACILITY": {
        "name": TEXT,
        "tenantFacilityId": TEXT,
        "locationType": TEXT,
        "country": TEXT,
        "postalCode": TEXT,
        "city": TEXT,
        "services": TEXTS,
        "tags.": TEXTS,
        "customAttributes.": ANY,
    },
    "LISTING": {
        "tenantArticleId": TEXT,
        "title": TEXT,
        "tags.": TEXTS,
        "attributes.": ANY,
        "customAttributes.": ANY,
    },
    "CARRIER": {"key": TEXT, "cost": NUMBER, "days": NUMBER, "isSameday": ANY},
}
OPERATORS = {
    "EQUALS": _("is"),
    "NOT_EQUALS": _("is not"),
    "IN": _("is one of"),
    "NOT_IN": _("is none of"),
    "CONTAINS": _("contains"),
    "NOT_CONTAINS": _("does not contain"),
    "GREATER_THAN": ">",
    "GREATER_EQUALS": "≥",
    "LESS_THAN": "<",
    "LESS_EQUALS": "≤",
}
CONNECTORS = {False: _("and"), True: _("or")}
COMPARING = {"GREATER_THAN", "GREATER_EQUALS", "LESS_THAN", "LESS_EQUALS"}
LISTING_VALUES = {"IN", "NOT_IN"}
DEEPEST, MOST = 6, 50


class BadRule(ValueError):
    """A rule that cannot be judged, with the reason."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """One comparison."""

    entity: str
    path: str
    operator: str
    value: Any
    every: bool = False

    def __str__(self):
        value = ", ".join(map(str, self.value)) if isinstance(self.value, tuple) else self.value
        return f"{ENTITIES[self.entity]} {self.path} {OPERATORS[self.operator]} {value}"

    def holds(self, things):
        """Whether it holds; ``things`` are the attributes of what the entity names: one, or several."""
        found = (_compare(self.operator, look_up(thing, self.path), self.value) for thing in things)
        return all(found) if self.every else any(found)


@dataclass(frozen=True, slots=True)
class Part:
    """Predicates that must hold together (AND) or of which one must hold (OR)."""

    predicates: tuple[Predicate, ...]
    is_any: bool = False

    def __str__(self):
        return f" {CONNECTORS[self.is_any]} ".join(map(str, self.predicates))

    def holds(self, things_of):
        found = (predicate.holds(things_of(predicate.entity)) for predicate in self.predicates)
        return any(found) if self.is_any else all(found)


@dataclass(frozen=True, slots=True)
class OwnRule:
    """Where ``when`` holds, ``then`` must hold."""

    then: Part
    when: Part | None = None

    def __str__(self):
        if self.when is None:
            return str(self.then)
        return str(_("if %(when)s: %(then)s") % {"when": self.when, "then": self.then})

    @property
    def entities(self):
        """What it looks at."""
        parts = [self.then, *([self.when] if self.when else [])]
        return {predicate.entity for part in parts for predicate in part.predicates}

    def holds(self, demand, candidate):
        things_of = _things(demand, candidate)
        return (self.when is not None and not self.when.holds(things_of)) or self.then.holds(things_of)

    def seen(self, demand, candidate):
        """What the facility has where the rule asks."""
        things_of = _things(demand, candidate)
        return "; ".join(
            f"{predicate.path}: {', '.join(str(look_up(thing, predicate.path)) for thing in things_of(predicate.entity))}"
            for predicate in self.then.predicates
        )


def _things(demand, candidate):
    def of(entity):
        if entity == "ORDER":
            return (demand.attributes,)
        if entity == "FACILITY":
            return (candidate.site.attributes,)
        if entity == "LISTING":
            return tuple([candidate.listings.get(line.article, {}) for line in demand.lines])
        return tuple(
            [
                {"key": link.key, "cost": link.cost, "days": link.days, "isSameday": link.is_sameday}
                for link in candidate.site.carriers
            ]
        )

    return of


def look_up(thing, path):
    """The value at a path of words with dots; None when there is none. A name of its own may have dots itself."""
    if not isinstance(thing, Mapping):
        return None
    if path in thing:
        return thing[path]
    head, dot, rest = path.partition(".")
    return look_up(thing[head], rest) if dot and head in thing else None


def _compare(operator, found, wanted):
    if operator in COMPARING:
        if isinstance(found, bool) or not isinstance(
            found, (int, float) if not isinstance(wanted, str) else str
        ):
            return False
        return {
            "GREATER_THAN": found > wanted,
            "GREATER_EQUALS": found >= wanted,
            "LESS_THAN": found < wanted,
            "LESS_EQUALS": found <= wanted,
        }[operator]
    if operator.endswith("CONTAINS"):
        has = (
            wanted in found
            if isinstance(found, (list, tuple, frozenset))
            else str(wanted) in str(found or "")
        )
        return has != operator.startswith("NOT")
    values = wanted if operator in LISTING_VALUES else (wanted,)
    # A tag may have several values: it is equal when one of them is.
    seen = found if isinstance(found, (list, tuple, frozenset)) else (found,)
    return any(_same(one, value) for one in seen for value in values) != operator.startswith("NOT")


def _same(one, other):
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def read_rule(data) -> OwnRule:
    """The rule that data describes.

    Raises:
        BadRule: an unknown word, path or operator, or a value whose type cannot be compared.
    """
    if not isinstance(data, dict) or not data.get("then"):
        raise BadRule(_("A rule needs a part “then”."))
    if unknown := set(data) - {"when", "then"}:
        raise BadRule(_("A rule has no part “%(name)s”.") % {"name": min(unknown)})
    return OwnRule(
        then=read_part(data["then"], "then"),
        when=read_part(data["when"], "when") if data.get("when") else None,
    )


def read_condition(data) -> Part:
    """A part that looks at the order only, as the conditions of the strategy tree do.

    Raises:
        BadRule: as ``read_rule``, or it asks something else than the order.
    """
    part = read_part(data, "condition")
    if other := [predicate.entity for predicate in part.predicates if predicate.entity != "ORDER"]:
        raise BadRule(_("A condition looks at the order only, not at %(entity)s.") % {"entity": other[0]})
    return part


def read_part(data, where) -> Part:
    if not isinstance(data, dict) or set(data) - {"connector", "predicates"}:
        raise BadRule(_("%(where)s: give “connector” and “predicates”.") % {"where": where})
    connector, predicates = data.get("connector", "AND"), data.get("predicates")
    if connector not in ("AND", "OR"):
        raise BadRule(_("%(where)s.connector: must be AND or OR.") % {"where": where})
    if not isinstance(predicates, list) or not 1 <= len(predicates) <= MOST:
        raise BadRule(_("%(where)s.predicates: give 1 to %(most)s of them.") % {"where": where, "most": MOST})
    return Part(
        tuple(_read_predicate(one, f"{where}.predicates[{n}]") for n, one in enumerate(predicates)),
        connector == "OR",
    )


def _read_predicate(data, where):
    if not isinstance(data, dict):
        raise BadRule(_("%(where)s: must be an object.") % {"where": where})
    if unknown := set(data) - {"entity", "path", "operator", "value", "every"}:
        raise BadRule(
            _("%(where)s: “%(name)s” is not known.") % {"where": where, "name": min(map(str, unknown))}
        )
    entity, path, operator = data.get("entity"), data.get("path"), data.get("operator")
    if entity not in ENTITIES:
        raise BadRule(
            _("%(where)s.entity: must be one of %(names)s.") % {"where": where, "names": ", ".join(ENTITIES)}
        )
    kind = _kind(entity, path)
    if kind is None:
        names = ", ".join(f"{name}…" if name.endswith(".") else name for name in PATHS[entity])
        raise BadRule(
            _("%(where)s.path: “%(path)s” is not known of %(entity)s; known are %(names)s.")
            % {"where": where, "path": path, "entity": entity, "names": names}
        )
    if operator not in OPERATORS:
        raise BadRule(
            _("%(where)s.operator: must be one of %(names)s.")
            % {"where": where, "names": ", ".join(OPERATORS)}
        )
    value = data.get("value")
    _check_value(kind, operator, value, f"{where}.value")
    every = data.get("every", False)
    if not isinstance(every, bool):
        raise BadRule(_("%(where)s.every: must be true or false.") % {"where": where})
    return Predicate(entity, path, operator, tuple(value) if isinstance(value, list) else value, every)


def _kind(entity, path):
    if not isinstance(path, str) or not path or len(path) > 200 or path.count(".") > DEEPEST:
        return None
    if path in PATHS[entity] and not path.endswith("."):
        return PATHS[entity][path]
    head, dot, rest = path.partition(".")
    return PATHS[entity].get(f"{head}.") if dot and rest else None


def _check_value(kind, operator, value, where):
    values = value if operator in LISTING_VALUES else [value]
    if not isinstance(values, list) or not values or len(values) > 500:
        raise BadRule(_("%(where)s: give a list of 1 to 500 values.") % {"where": where})
    for one in values:
        is_number = isinstance(one, (int, float)) and not isinstance(one, bool)
        if not isinstance(one, (str, int, float, bool)) or (isinstance(one, float) and one != one):
            raise BadRule(_("%(where)s: must be a text, a number, true or false.") % {"where": where})
        if operator in COMPARING and isinstance(one, bool):
            raise BadRule(_("%(where)s: true and false have no order.") % {"where": where})
        if kind == NUMBER and not is_number:
            raise BadRule(_("%(where)s: must be a number, as what it is compared with.") % {"where": where})
        if kind in (TEXT, TEXTS) and not isinstance(one, str):
            raise BadRule(_("%(where)s: must be a text, as what it is compared with.") % {"where": where})
    if kind == NUMBER and operator.endswith("CONTAINS"):
        raise BadRule(_("%(where)s: a number contains nothing.") % {"where": where})
