"""Parcels name the units in them. A unit is spent with its first shipment, so it is noted before it is sent."""

import httpx
from django.db import transaction

from orders.sources import echoes, http
from orders.sources.addresses import alpha_3
from orders.sources.kind import NotReportable
from orders.sources.models import ImportedOrder, Report
from orders.sources.reading import first, iso, items, text

from . import mapping

CARRIERS = frozenset({"DHL", "DHL_EXPRESS", "DPD", "GLS", "HERMES", "UPS"})
FORWARDERS = frozenset({"DHL_FREIGHT", "OTHER_FORWARDER"})
BY_US = "CANCELLED_BY_PARTNER"
SENT, RETURNED = "SENT", "RETURNED"
ACCEPTANCE, REJECTION = "acceptance", "rejection"


def find(client, job):
    """The id of what an earlier attempt left at OTTO, None when it did not arrive. Adds units that it lacks."""
    noted = job.report.notes.get("ids")
    if job.what == Report.What.RETURNED:
        return None  # what arrived is seen unit by unit, see ``_give_back``
    if job.is_collected:
        return None
    if job.what == Report.What.SHIPPED and job.parcel.tracking_number:
        carrier = _carrier(client, job)
        shipment = client.shipment(carrier, job.parcel.tracking_number)
        return _complete(client, job, carrier, shipment) if shipment else None
    if not noted:
        return None
    states = {text(unit.get("positionItemId")): mapping.state_of(unit) for unit in _units(client, job)}
    wanted = SENT if job.what == Report.What.SHIPPED else BY_US
    if any(states.get(unit) != wanted for unit in noted):
        return None
    if job.what == Report.What.SHORT:
        echoes.take_out(job, "ids")
    return "arrived" if job.what == Report.What.SHIPPED else "cancelled"


def send(client, job):
    if job.what == Report.What.SHIPPED:
        return _ship(client, job)
    if job.what == Report.What.RETURNED:
        return _give_back(client, job)
    return _cancel(client, job)


def _units(client, job):
    return items(http.known(client.order(job.order_id)).get("positionItems"))


@transaction.atomic
def _choose(job, units):
    """Units to report: still processable, and none of another report. Noted at once for the next attempt."""
    ImportedOrder.objects.lock(pk=job.imported.pk)  # no two reports choose at once
    job.report.notes = {name: note for name, note in job.report.notes.items() if name != "ids"}
    others = Report.objects.filter(imported=job.imported).exclude(pk=job.report.pk).spent_ids()
    lines, chosen = mapping.lines_of(units), []
    for line in [line for box in job.boxes for line in box.lines] or job.lines:
        left = [
            unit
            for unit in mapping.ids_of(lines.get(line.line_id, ()), mapping.OPEN)
            if unit not in others and unit not in chosen
        ]
        if len(left) < line.quantity:
            raise NotReportable("NOTHING_OPEN")
        chosen += left[: line.quantity]
    job.report.notes |= {"ids": chosen}
    job.report.save(update_fields=["notes"])
    return chosen


# Parcels


def _ship(client, job):
    """One call per parcel; one for all parcels that share units, from the first that units are counted in."""
    if job.is_collected:
        raise NotReportable("NO_ROUTE")
    counted_in = next((box.parcel for box in job.boxes if box.lines), None)
    if counted_in is None:
        raise NotReportable("NOTHING_OPEN")
    if job.parcel != counted_in:
        raise NotReportable("TOLD_TOGETHER", is_fault=False)
    for is_again in (False, True):
        shipments = list(_shipments(client, job))
        try:
            return client.ship(*shipments) if len(shipments) == 1 else client.ship_together(shipments)
        except http.Conflict as failure:
            # Sent already, or a unit is in another state meanwhile.
            if remote_id := find(client, job):
                return remote_id
            if is_again:
                raise http.Rejected(str(failure), httpx.codes.CONFLICT) from failure
    raise AssertionError


def _shipments(client, job):
    """The body of each parcel, with the units that are in it, be it a part of them."""
    left = iter(_choose(job, _units(client, job)))
    own = {
        (box.id, line.line_id): [next(left) for _unit in range(line.quantity)]
        for box in job.boxes
        for line in box.lines
    }
    for box in job.boxes:
        ids = [unit for line in box.lines for unit in own[box.id, line.line_id]]
        for begins, line in box.parts:
            ids += own[begins, line.line_id][: line.quantity]
        yield _shipment(client, job, box, ids)


def _shipment(client, job, box, ids):
    parcel, facility, carrier = box.parcel, box.parcel.facility, _carrier(client, box)
    tracking: dict[str, str] = {"carrier": carrier}
    if parcel.tracking_number:
        tracking["trackingNumber"] = parcel.tracking_number
    return {
        "trackingKey": tracking,
        "shipDate": iso(parcel.handed_over_at or parcel.recorded_at),
        "shipFromAddress": {
            "city": facility.city,
            "zipCode": facility.postal_code,
            "countryCode": alpha_3(facility.country),
        },
        "positionItems": _position_items(client, job, parcel, carrier, ids),
    }


def _position_items(client, job, parcel, carrier, ids):
    """Units of a parcel, with the number of its return label; forwarders have none."""
    back = {}
    if carrier not in FORWARDERS:
        if not parcel.tracking_number or not parcel.return_tracking_number:
            raise NotReportable("NUMBERS_MISSING")
        code = first(client.options["return_carrier"], carrier)
        back = {"returnTrackingKey": {"carrier": code, "trackingNumber": parcel.return_tracking_number}}
    return [{"positionItemId": unit, "salesOrderId": job.order_id, **back} for unit in ids]


def _carrier(client, job):
    """The code of the carrier of a job or box: of the table, else its key or name when that is one, else that of the
    connection.
    """
    known = CARRIERS | FORWARDERS
    table = client.options["carriers"] or {}
    names = [job.carrier_key, job.carrier] if job.carrier_key not in table else []
    codes = (text(name).upper().replace(" ", "_").replace("-", "_") for name in names)
    code = first(
        table.get(job.carrier_key),
        next((code for code in codes if code in known), ""),
        client.options["default_carrier"],
    )
    if not code:
        raise NotReportable("CARRIER_UNKNOWN", carrier=job.carrier)
    return code.upper()


def _complete(client, job, carrier, shipment):
    """Units that a shipment of ours lacks are added to it."""
    there = {text(unit.get("positionItemId")) for unit in items(shipment.get("positionItems"))}
    lacking = [unit for unit in job.report.notes.get("ids", ()) if unit not in there]
    if lacking and len(job.boxes) == 1:  # else they came in one call, or not at all
        units = _position_items(client, job, job.parcel, carrier, lacking)
        client.add_units(carrier, job.parcel.tracking_number, units)
    return text(shipment.get("shipmentId")) or "arrived"


# Cancellations


def _cancel(client, job):
    units = _units(client, job)
    if job.what == Report.What.SHORT:
        client.cancel(job.order_id, _choose(job, units))
        echoes.take_out(job, "ids")
        return "cancelled"
    states = {mapping.state_of(unit) for unit in units} - mapping.CANCELLED
    if not states:
        return "cancelled"
    is_whole = states == {mapping.OPEN}
    left = list(mapping.ids_of(units, mapping.OPEN))
    if not left:
        raise NotReportable("NOTHING_OPEN")
    job.report.notes |= {"ids": left}
    job.report.save(update_fields=["notes"])
    client.cancel(job.order_id, None if is_whole else left)
    return "cancelled"


# Returns


def _give_back(client, job):
    """Say of each unit whether it was taken back. Units are chosen once; what OTTO has as returned is not sent again."""
    units = _units(client, job)
    if "returned" not in job.report.notes:
        _choose_returned(client, job, units)
    states = {text(unit.get("positionItemId")): mapping.state_of(unit) for unit in units}
    for name, wanted in job.report.notes["returned"].items():
        if name == ACCEPTANCE:
            wanted = [unit for unit in wanted if states.get(unit["positionItemId"]) != RETURNED]
        if not wanted or name in job.report.notes["told"]:
            continue
        _settle_return(client, job, name, wanted)
    return "returned"


def _settle_return(client, job, name, units):
    """One call. Nothing shows whether a rejection arrived whose answer was lost: a person looks then."""
    notes = job.report.notes
    if notes.pop("trying", "") == REJECTION:
        job.report.save(update_fields=["notes"])
        raise NotReportable("ANSWER_LOST")
    notes["trying"] = name
    job.report.save(update_fields=["notes"])
    try:
        client.settle_return(name, units)
    except http.Unknown:
        raise
    except http.SourceError as failure:
        del notes["trying"]  # it did not arrive
        if isinstance(failure, http.Conflict):
            raise http.Rejected(str(failure), httpx.codes.CONFLICT) from failure
        raise
    del notes["trying"]
    notes["told"].append(name)
    job.report.save(update_fields=["notes"])


@transaction.atomic
def _choose_returned(client, job, units):
    """Note the units of each call; each unit is one that was sent and is in no other return."""
    ImportedOrder.objects.lock(pk=job.imported.pk)  # no two reports choose at once
    others = Report.objects.filter(imported=job.imported, what=Report.What.RETURNED)
    spent = others.exclude(pk=job.report.pk).spent_ids()
    lines = mapping.lines_of(units)
    chosen: dict[str, list[dict]] = {}
    for line in job.lines:
        left = [
            unit
            for state in (SENT, RETURNED)
            for unit in mapping.ids_of(lines.get(line.line_id, ()), state)
            if unit not in spent
        ]
        if len(left) < line.quantity:
            raise NotReportable("NOTHING_OPEN")
        words = _words_of_return(client, line)
        name = ACCEPTANCE if line.is_accepted else REJECTION
        for unit in left[: line.quantity]:
            spent.add(unit)
            entry = {"positionItemId": unit, "salesOrderId": job.order_id, **words}
            chosen.setdefault(name, []).append(entry)
    ids = [unit["positionItemId"] for calls in chosen.values() for unit in calls]
    job.report.notes |= {"returned": chosen, "ids": ids, "told": []}
    job.report.save(update_fields=["notes"])


def _words_of_return(client, line):
    conditions = client.options["return_conditions"] or {}
    reasons = client.options["return_reasons"] or {}
    if line.condition not in conditions:
        raise NotReportable("CONDITION_UNKNOWN", condition=line.condition)
    reason = reasons.get(line.reason, line.reason)
    return {"condition": conditions[line.condition], **({"reason": reason} if reason else {})}
