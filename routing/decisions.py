"""What a decision keeps, and every number worked out again from it.

Kept are the inputs: revision, network, seed, the order's demand and the figures of every facility, as columns of
numbers. The rules are pure, so the same inputs give the same points, fences and split at any later time.
"""

import dataclasses
import json
import struct
import zlib

from routing import rules
from routing.models import DecisionLog
from routing.queries import tree_of
from routing.situations import restore_network

# Where no clock ends the search for the best split: about as many as it looks at in its time.
MOST_SETS = 10_000


@dataclasses.dataclass(frozen=True)
class Made:
    """A decision with what it was made of."""

    demand: rules.Demand
    candidates: rules.Candidates
    policy: rules.Policy
    path: tuple[str, ...]
    seed: int
    is_fixed: bool
    place_source: str
    decision: rules.Decision
    placement: rules.Placement
    waits_for_whole: bool
    unknown_units: int

    @property
    def wanted(self):
        """The units of the order, those too of which no article is known."""
        return self.demand.quantity + self.unknown_units


def decision_data(inputs, made):
    """The small part of a ``DecisionLog``, in words that can be read: what was asked and what came out."""
    split = made.decision.split
    seldom = {
        "waited": inputs.waited,
        "partly": inputs.is_partly,
        "incomplete": inputs.unknown_units,
        "fallback": list(made.placement.fallback),
    }
    return {
        "demand": _plain_demand(made.demand),
        "place_source": made.place_source,
        "fixed": made.is_fixed,
        "path": list(made.path),
        "parts": plain_parts(made),
        "remainder": _lines(split.remainder),
        "looked_at": split.looked_at,
        "is_proven": split.is_proven,
    } | {name: value for name, value in seldom.items() if value}


def plain_parts(made):
    return [{"facility": part.facility, "lines": _lines(part.lines)} for part in made.placement.parts]


def _plain_demand(demand):
    plain = {
        "service": demand.service,
        "country": demand.country,
        "position": demand.position,
        "lines": _lines(demand.lines),
        "is_sameday": demand.is_sameday,
        "preselected": sorted(demand.preselected),
        "carriers": sorted(demand.carriers),
        "blacklist": sorted(demand.blacklist),
        "attributes": dict(demand.attributes),
        "prices": dict(demand.prices),
    }
    return {name: value for name, value in plain.items() if value not in (None, False, [], {})}


def _lines(lines):
    return [[line.article, line.quantity] for line in lines]


def pack_figures(made, sites):
    """The figures of the facilities as compressed columns, one value per facility of the network.

    Columns: ``only`` (positions, when the order could not go everywhere), ``available`` per line, ``workload``,
    ``free``, ``today``, and for rules that ask for them ``batches`` and ``listings``. A column of equal values is
    one value, one of whole numbers a text (see ``_digits``); what nobody has is left out.
    """
    articles = [line.article for line in made.demand.lines]
    candidates = made.candidates
    columns = {
        "available": [_column(candidates.units(article), _digits) for article in articles],
        "workload": _column(candidates.column(candidates.workloads), _digits),
    }
    if len(candidates) != len(sites):
        columns["only"] = [sites.place_of[key] for key in candidates.keys]
    free = candidates.column(candidates.free_capacities)
    if any(one is not None for one in free):
        columns["free"] = _column(free)
    today = candidates.column(candidates.makes_today)
    if any(today):
        columns["today"] = _column([int(one) for one in today])
    if any(candidates.column(candidates.batches)):
        columns["batches"] = [
            [[dataclasses.astuple(batch) for batch in one.batches.get(article, ())] for one in candidates]
            for article in articles
        ]
    if any(candidates.column(candidates.listings)):
        columns["listings"] = [[one.listings.get(article) for one in candidates] for article in articles]
    return zlib.compress(_encode(columns).encode(), level=6)


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _column(values, write=list):
    return values[0] if values and values.count(values[0]) == len(values) else write(values)


def _spread(column, count):
    if isinstance(column, str):
        return _numbers(column)
    return column if isinstance(column, list) else [column] * count


WIDTHS = {"B": 1, "H": 2, "I": 4}  # bytes of a number, by the letter that ``struct`` has for it


def _digits(values):
    """Whole numbers from 0 as the letter of their width and hexadecimal digits: written ten times as fast as decimals."""
    width = next(letter for letter, size in WIDTHS.items() if max(values, default=0) < 256**size)
    return width + struct.pack(f"<{len(values)}{width}", *values).hex()


def _numbers(text):
    packed = bytes.fromhex(text[1:])
    return list(struct.unpack(f"<{len(packed) // WIDTHS[text[0]]}{text[0]}", packed))


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a decision was made of, whatever configuration it followed.

    ``waited``: minutes since the part is without a facility. ``is_partly``: what is there is taken, whatever the
    configuration says. ``unknown_units``: of lines that no article is known for.
    """

    demand: rules.Demand
    candidates: rules.Candidates
    seed: int
    is_fixed: bool
    place_source: str
    waited: int = 0
    is_partly: bool = False
    unknown_units: int = 0


def inputs_of(log, sites=None):
    """The inputs that a log keeps.

    Args:
        sites: the facilities of its network, when they are at hand.
    """
    columns = json.loads(zlib.decompress(bytes(log.figures)))
    sites = restore_network(log.snapshot) if sites is None else sites
    if "only" in columns:
        sites = rules.Sites([sites[place] for place in columns["only"]])
    demand = restore_demand(log.data["demand"])
    candidates = _restore_candidates(sites, columns, [line.article for line in demand.lines])
    return Inputs(
        demand,
        candidates,
        log.seed,
        log.data["fixed"],
        log.data["place_source"],
        log.data.get("waited", 0),
        log.data.get("partly", False),
        int(log.data.get("incomplete", 0)),
    )


def decide(inputs, tree, may_go_on=lambda looked_at: looked_at < MOST_SETS):
    """What a strategy tree makes of some inputs."""
    settings, path = rules.choose(tree, inputs.demand.attributes)
    policy = FIXED if inputs.is_fixed else settings.policy_for(inputs.demand.is_sameday)
    decision = rules.decide(inputs.demand, inputs.candidates, policy, inputs.seed, may_go_on)
    waits = settings.plain["partly_reservable"] == "WAIT" and not inputs.is_partly
    return Made(
        inputs.demand,
        inputs.candidates,
        policy,
        path,
        inputs.seed,
        inputs.is_fixed,
        inputs.place_source,
        decision,
        _place(inputs, settings.plain, policy, decision, waits),
        waits,
        inputs.unknown_units,
    )


def _place(inputs, plain, policy, decision, waits):
    """What is done about a decision, by the settings that are not the rules'."""
    if inputs.unknown_units:  # nobody has all of it
        if waits:
            return rules.Placement((), inputs.demand.lines)
        return rules.Placement(decision.split.parts, decision.split.remainder)
    fallback = rules.FALLBACK | plain.get("fallback", {})
    is_due = not inputs.is_fixed and inputs.waited >= fallback["after_minutes"]
    return rules.place(
        decision,
        inputs.demand,
        inputs.candidates,
        waits_for_whole=waits,
        fallback=fallback["facilities"] if is_due else (),
        may_split=policy.may_split,
    )


def restore(log, sites=None):
    """The decision of a log, made again from what it keeps."""
    most = log.data["looked_at"]
    is_proven = log.data["is_proven"] or not most
    tree, _needs = tree_of(log.revision)
    # A search that ran out of time ends after as many sets again.
    return decide(inputs_of(log, sites), tree, lambda looked_at: is_proven or looked_at < most)


def restore_demand(plain):
    """The demand that a decision kept."""
    return rules.Demand(
        service=plain["service"],
        country=plain.get("country", ""),
        position=tuple(plain["position"]) if plain.get("position") else None,
        lines=tuple(rules.Line(article, quantity) for article, quantity in plain.get("lines", ())),
        is_sameday=plain.get("is_sameday", False),
        preselected=frozenset(plain.get("preselected", ())),
        carriers=frozenset(plain.get("carriers", ())),
        blacklist=frozenset(plain.get("blacklist", ())),
        attributes=plain.get("attributes", {}),
        prices=plain.get("prices", {}),
    )


def _restore_candidates(sites, columns, articles):
    count = len(sites)

    def by_site(name):
        """Per facility what a column of every article has."""
        of_articles = [(article, column) for article, column in zip(articles, columns[name], strict=True)]
        return [{article: column[n] for article, column in of_articles if column[n]} for n in range(count)]

    batches = None
    if "batches" in columns:
        batches = [
            {article: tuple(rules.Batch(*batch) for batch in own) for article, own in shelf.items()}
            for shelf in by_site("batches")
        ]
    return rules.Candidates(
        sites,
        {
            article: _spread(column, count)
            for article, column in zip(articles, columns["available"], strict=True)
        },
        _spread(columns["workload"], count),
        _spread(columns["free"], count) if "free" in columns else None,
        [bool(one) for one in _spread(columns["today"], count)] if "today" in columns else None,
        batches,
        by_site("listings") if "listings" in columns else None,
    )


# Where the shop chose the facility there are no fences, no ratings and no split.
FIXED = rules.Policy(frozenset(), {}, may_split=False)


def differences(log):
    """What is different when a logged decision is made again: ``[]`` when it is the same to the unit."""
    made = restore(log)
    split = made.decision.split
    kept, again = log.data["parts"], plain_parts(made)
    found = []
    if again != kept:
        found.append(("parts", kept, again))
    if _lines(split.remainder) != log.data["remainder"]:
        found.append(("remainder", log.data["remainder"], _lines(split.remainder)))
    return found


def load_log(pk):
    """A log with everything that ``restore`` reads."""
    return DecisionLog.objects.select_related("revision", "snapshot", "order").get(pk=pk)
