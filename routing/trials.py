"""The draft tried on decisions of the past, beside the configuration in use. Nothing of an order is written."""

import dataclasses
import itertools
import time
from collections import Counter

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from fulfillment.core.events import emit
from fulfillment.core.models import Facility, User
from fulfillment.core.outbox import RetryLater
from routing import rules
from routing.configurations import complete_draft, judge, revision_data
from routing.decisions import decide_again, inputs_of
from routing.events import TrialAsked
from routing.models import DecisionLog, RoutingRevision, RoutingTrial
from routing.situations import restore_network

BATCH = 50
LONGEST_TURN = 120  # seconds of a worker's time before others get theirs
MOST_LISTED = 500  # changed orders that are kept by name


@dataclasses.dataclass
class Side:
    """What one configuration makes of the orders so far."""

    orders: int = 0  # served whole
    parts: int = 0
    units: int = 0
    left: int = 0
    km: float = 0.0
    load: Counter = dataclasses.field(default_factory=Counter)  # facility key: units

    def add(self, made):
        split = made.decision.split
        sites = {one.key: one.site for one in made.candidates}
        self.orders += bool(split.parts) and not split.remainder
        self.parts += len(split.parts)
        self.left += sum(line.quantity for line in split.remainder)
        for part in split.parts:
            units = sum(line.quantity for line in part.lines)
            self.units += units
            self.load[part.facility] += units
            position = sites[part.facility].position
            if position and made.demand.position:
                self.km += rules.distance_km(position, made.demand.position)


@transaction.atomic
def ask(count, *, by, now):
    """Have a worker try the draft on the last ``count`` decisions. Refuses a draft that cannot be published."""
    draft = complete_draft()
    data = revision_data(draft)
    judge(data)
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
    changed, networks, end = trial.result.get("changed", []), {}, time.monotonic() + LONGEST_TURN
    while trial.done < trial.total:
        logs = list(
            DecisionLog.objects.filter(pk__lte=trial.newest if not trial.last else trial.last - 1)
            .select_related("order")
            .order_by("-pk")[: min(BATCH, trial.total - trial.done)]
        )
        if not logs:
            trial.total = trial.done
            break
        for log in logs:
            found = _compare(log, trees, sides, _network(log, networks))
            trial.changed_count += len(found)
            changed += found
        trial.done, trial.last = trial.done + len(logs), logs[-1].pk
        trial.result = {"sides": [_plain(side) for side in sides], "changed": changed[:MOST_LISTED]}
        trial.save(update_fields=["done", "last", "result", "changed_count"])
        if time.monotonic() > end and trial.done < trial.total:
            raise RetryLater("More decisions are left.", seconds=0)
    trial.finished_at = timezone.now()
    trial.save(update_fields=["finished_at", "total"])


def _network(log, networks):
    if log.snapshot_id not in networks:
        networks[log.snapshot_id] = restore_network(log.snapshot)
    return networks[log.snapshot_id]


def _compare(log, trees, sides, sites):
    """Add a decision to both sides; ``[entry]`` when the draft gives other parts."""
    inputs = inputs_of(log, sites)
    made = [decide_again(inputs, tree) for tree in trees]
    for side, one in zip(sides, made, strict=True):
        side.add(one)
    before, after = ([part.facility for part in one.decision.split.parts] for one in made)
    if dict(_shares(made[0])) == dict(_shares(made[1])):
        return []
    return [
        {"order": str(log.order_id), "name": str(log.order), "log": log.pk, "before": before, "after": after}
    ]


def _shares(made):
    """Who takes which units, whatever the order of the parts."""
    return itertools.chain.from_iterable(
        (((part.facility, line.article), line.quantity) for line in part.lines)
        for part in made.decision.split.parts
    )


def _side(data):
    return Side(**{**data, "load": Counter(data.get("load", {}))})


def _plain(side):
    return dataclasses.asdict(side) | {"km": round(side.km, 1), "load": dict(side.load)}


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
        Figure(_("Units that nobody has"), live.left, draft.left),
        Figure(_("Kilometres per parcel"), share(live.km, live.parts), share(draft.km, draft.parts)),
        Figure(_("Facilities with work"), len(live.load), len(draft.load)),
    ]


def changed(trial):
    """The orders that go elsewhere, with the names of the facilities: ``[{"order", "name", "before", "after"}]``."""
    entries = trial.result.get("changed", [])
    keys = {key for entry in entries for key in (*entry["before"], *entry["after"])}
    names = {str(pk): name for pk, name in Facility.objects.filter(pk__in=keys).values_list("pk", "name")}
    return [
        entry | {side: [names.get(key, key) for key in entry[side]] for side in ("before", "after")}
        for entry in entries
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
        found.append(Load(name, live.get(str(pk), 0), after, x, y, round(6 + 24 * (after / most) ** 0.5, 1)))
    return sorted(found, key=lambda one: (-abs(one.difference), -one.draft, one.name))


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
