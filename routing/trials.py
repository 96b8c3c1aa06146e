"""The draft tried on decisions of the past, beside the configuration in use. Nothing of an order is written."""

import dataclasses
import datetime
import functools
import itertools
import time
from collections import Counter

from django.db import transaction
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from fulfillment.core.events import emit
from fulfillment.core.models import Facility, User
from fulfillment.core.outbox import RetryLater
from routing import rules
from routing.configurations import checked_data, complete_draft
from routing.decisions import decide, inputs_of
from routing.events import TrialAsked
from routing.explanations import fence_label
from routing.models import DecisionLog, RoutingRevision, RoutingTrial, TrialChange
from routing.situations import restore_network

BATCH = 50
LONGEST_TURN = 120  # seconds of a worker's time before others get theirs
FACTS_SECONDS, FACTS_ORDERS = 1.0, 500


@dataclasses.dataclass
class Side:
    """What one configuration makes of the orders so far."""

    orders: int = 0  # served whole
    parts: int = 0
    units: int = 0
    left: int = 0
    km: float = 0.0
    late: int = 0  # parts that are ready after the time that the order is promised for
    load: Counter = dataclasses.field(default_factory=Counter)  # facility key: units

    def add(self, made, misses, unknown_units):
        placement = made.placement
        sites, place_of = made.candidates.sites, made.candidates.sites.place_of
        self.orders += bool(placement.parts) and not placement.left and not unknown_units
        self.parts += len(placement.parts)
        self.left += sum(line.quantity for line in placement.left) + unknown_units
        for part in placement.parts:
            units = sum(line.quantity for line in part.lines)
            self.units += units
            self.load[part.facility] += units
            self.late += misses(part.facility)
            position = sites[place_of[part.facility]].position
            if position and made.demand.position:
                self.km += rules.distance_km(position, made.demand.position)


@transaction.atomic
def ask(count, *, by, now):
    """Have a worker try the draft on the last ``count`` decisions. Refuses a draft that cannot be published."""
    draft = complete_draft()
    data = checked_data(draft)
    newest = DecisionLog.objects.order_by("-pk").values_list("pk", flat=True).first()
    trial = RoutingTrial.objects.create(
        data=data,
        revision=RoutingRevision.objects.order_by("-number").first(),
        newest=newest or 0,
        total=min(count, DecisionLog.objects.count()),
        created_at=now,
        created_by=by if isinstance(by, User) else None,
    )
    emit(TrialAsked(trial_id=trial.pk), by=by, now=now)
    return trial


def work_off(event):
    """Go on with a trial where it is; when it is done, do nothing."""
    trial = RoutingTrial.objects.select_related("revision").get(pk=event.trial_id)
    if trial.finished_at is not None:
        return
    trees = [rules.read_tree(trial.revision.data), rules.read_tree(trial.data)]
    sides = [_side(data) for data in trial.result.get("sides", [{}, {}])]
    networks, end = {}, time.monotonic() + LONGEST_TURN
    clocks = _clocks()
    while trial.done < trial.total:
        logs = list(
            DecisionLog.objects.filter(pk__lte=trial.newest if not trial.last else trial.last - 1)
            .select_related("order")
            .order_by("-pk")[: min(BATCH, trial.total - trial.done)]
        )
        if not logs:
            trial.total = trial.done
            break
        found = [
            TrialChange(trial=trial, log=log, before=change[0], after=change[1])
            for log in logs
            if (change := _compare(log, trees, sides, _network(log, networks), clocks))
        ]
        trial.changed_count += len(found)
        trial.done, trial.last = trial.done + len(logs), logs[-1].pk
        trial.result = {"sides": [_plain(side) for side in sides]}
        with transaction.atomic():
            TrialChange.objects.bulk_create(found)
            trial.save(update_fields=["done", "last", "result", "changed_count"])
        if time.monotonic() > end and trial.done < trial.total:
            raise RetryLater("More decisions are left.", seconds=0)
    trial.finished_at = timezone.now()
    trial.save(update_fields=["finished_at", "total"])


def _network(log, networks):
    if log.snapshot_id not in networks:
        networks[log.snapshot_id] = restore_network(log.snapshot)
    return networks[log.snapshot_id]


def _clocks():
    """``{facility key: facility}`` with all that says when it is ready: its hours of today, not of the decision."""
    return {str(row.pk): row for row in Facility.objects.prefetch_related("closing_days")}


def _is_late(log, clocks, key):
    """Whether a facility would have been ready after the target time of the order."""
    target = log.order.target_time
    if target is None or key not in clocks:
        return False
    ready = clocks[key].ready_time(log.at)
    return ready is None or ready > target


def _compare(log, trees, sides, sites, clocks):
    """Add a decision to both sides; the facilities of its parts on each when the draft gives other parts, else None."""
    inputs = inputs_of(log, sites)
    misses = functools.partial(_is_late, log, clocks)
    made = [decide(inputs, tree) for tree in trees]
    for side, one in zip(sides, made, strict=True):
        side.add(one, misses, inputs.unknown_units)
    if dict(_shares(made[0])) == dict(_shares(made[1])):
        return None
    return [[part.facility for part in one.placement.parts] for one in made]


def _shares(made):
    """Who takes which units, whatever the order of the parts."""
    return itertools.chain.from_iterable(
        (((part.facility, line.article), line.quantity) for line in part.lines)
        for part in made.placement.parts
    )


def _side(data):
    return Side(**{**data, "load": Counter(data.get("load", {}))})


def _plain(side):
    return dataclasses.asdict(side) | {"km": round(side.km, 1), "load": dict(side.load)}


# Facts about a draft, at once


@dataclasses.dataclass(frozen=True)
class Fact:
    """A fence that leaves no facility, and for how many of the orders that were looked at."""

    fence: str
    orders: int
    total: int

    def __str__(self):
        return _(
            "The fence %(fence)s leaves no facility for %(percent)s %% of the last %(total)s orders."
        ) % {
            "fence": self.fence,
            "percent": formats.localize(round(100 * self.orders / self.total, 1)),
            "total": self.total,
        }


def facts(data, *, now):
    """What a configuration would have kept out of the last week's orders: ``[Fact]``, the worst first.

    Looks at as many of the newest decisions as ``FACTS_SECONDS`` allow. A fence is named that keeps every facility
    out by itself, else all that do it together.
    """
    logs = DecisionLog.objects.filter(at__gte=now - datetime.timedelta(days=7)).order_by("-pk")
    tree, networks, total, found = rules.read_tree(data), {}, 0, Counter()
    end = time.monotonic() + FACTS_SECONDS
    for log in logs.defer("duration_ms")[:FACTS_ORDERS]:
        inputs = inputs_of(log, _network(log, networks))
        if inputs.is_fixed or not inputs.candidates:
            continue
        total += 1
        found.update(_fences_that_leave_nobody(inputs, tree))
        if time.monotonic() > end:
            break
    return [Fact(fence, orders, total) for fence, orders in found.most_common()]


def _fences_that_leave_nobody(inputs, tree):
    settings, _path = rules.choose(tree, inputs.demand.attributes)
    fences = rules.active_fences(settings.policy_for(inputs.demand.is_sameday))
    left, _exclusions = rules.exclude(inputs.demand, inputs.candidates, fences)
    if left:
        return []
    alone = [
        str(fence_label(fence.use))
        for fence in fences
        if not rules.exclude(inputs.demand, inputs.candidates, [fence])[0]
    ]
    return alone or [" + ".join(str(fence_label(fence.use)) for fence in fences)]


# As the page shows it


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure of both sides."""

    label: str
    live: float
    draft: float

    @property
    def difference(self):
        return round(self.draft - self.live, 2)


def figures(trial):
    """The figures of both sides, as far as the trial is."""
    if not trial.done:
        return []
    live, draft = (_side(data) for data in trial.result["sides"])

    def share(part, whole):
        return round(part / whole, 2) if whole else 0

    return [
        Figure(_("Orders served whole"), live.orders, draft.orders),
        Figure(_("Parcels"), live.parts, draft.parts),
        Figure(_("Parcels per order"), share(live.parts, trial.done), share(draft.parts, trial.done)),
        Figure(_("Units without a facility"), live.left, draft.left),
        Figure(_("Kilometres per parcel"), share(live.km, live.parts), share(draft.km, draft.parts)),
        Figure(_("Parcels ready too late"), live.late, draft.late),
        Figure(_("Facilities with work"), len(live.load), len(draft.load)),
    ]


def named(changes):
    """Changed decisions with the names of the facilities: ``[(change, [before], [after])]``."""
    keys = {key for change in changes for key in (*change.before, *change.after)}
    names = {str(pk): name for pk, name in Facility.objects.filter(pk__in=keys).values_list("pk", "name")}
    return [
        (change, *([names.get(key, key) for key in side] for side in (change.before, change.after)))
        for change in changes
    ]


@dataclasses.dataclass(frozen=True)
class Load:
    """Units of a facility on both sides, and its place on a map of 1000 by ``height``."""

    name: str
    live: int
    draft: int
    x: float | None
    y: float | None
    radius: float
    number: int = 0  # of its row, which the map shows too

    @property
    def difference(self):
        return self.draft - self.live


def loads(trial):
    """The load of every facility that got something, the most changed first, with its place on the map."""
    live, draft = (side.get("load", {}) for side in trial.result.get("sides", [{}, {}]))
    rows = Facility.objects.filter(pk__in={*live, *draft}).values_list("pk", "name", "latitude", "longitude")
    placed = [(latitude, longitude) for _pk, _name, latitude, longitude in rows if latitude is not None]
    most = max([*live.values(), *draft.values()], default=1)
    found = []
    for pk, name, latitude, longitude in rows:
        x, y = _on_map(latitude, longitude, placed)
        after = draft.get(str(pk), 0)
        found.append(Load(name, live.get(str(pk), 0), after, x, y, round(14 + 20 * (after / most) ** 0.5, 1)))
    found.sort(key=lambda one: (-abs(one.difference), -one.draft, one.name))
    return [dataclasses.replace(one, number=number) for number, one in enumerate(found, start=1)]


def dots(loads):
    """Those that have a place on the map, in the order in which they are drawn: what changes and what is small on top."""
    placed = [one for one in loads if one.x is not None]
    return sorted(placed, key=lambda one: (one.difference != 0, -one.radius))


MAP = (1000, 600)


def _on_map(latitude, longitude, placed):
    """Equirectangular, all places within the frame."""
    if latitude is None:
        return None, None
    south, north = min(lat for lat, _lon in placed), max(lat for lat, _lon in placed)
    west, east = min(lon for _lat, lon in placed), max(lon for _lat, lon in placed)
    width, height = (side - 120 for side in MAP)
    # A degree of longitude is about 0.63 of one of latitude where our facilities are; elsewhere the map is a sketch.
    scale = min(width / max((east - west) * 0.63, 0.01), height / max(north - south, 0.01))
    return round(60 + (longitude - west) * 0.63 * scale, 1), round(60 + (north - latitude) * scale, 1)
