"""What later stages recorded for the shop is reported to its source: one row per thing, sent by a worker.

A write is never sent twice on suspicion: after an attempt whose end is not known, the source is asked first.
"""

import dataclasses
import datetime

from django.db import transaction
from django.db.models import F, Q, Sum
from django.utils import timezone

from fulfillment.core.events import emit
from fulfillment.core.models import Carrier
from fulfillment.core.outbox import GIVE_UP_AFTER, RetryLater
from orders.models import Order, OrderLine, ParcelRecord, ReturnRecord, ShortRecord

from . import http
from .events import ReportDue
from .kind import Job, NotReportable, ReportLine
from .models import Connection, ImportedOrder, Report
from .reasons import reason
from .registry import kind_of, open_client

State, What = Report.State, Report.What
OPEN = [State.DUE, State.UNKNOWN]
AGAIN = [What.SHORT, What.RETURN_LABEL]
NUMBERS = ("tracking_number", "tracking_url", "return_tracking_number")
LEASE = datetime.timedelta(
    minutes=3
)  # less than that of the outbox: a dead worker's report is free when it comes again


# What happened, in the transaction of the stage


def on_parcel_recorded(event, *, by, now):
    imported = _ask(event, "label", by=by, now=now)
    if imported is not None:
        _ask_for_change(imported, event.parcel_id, by=by, now=now)


def _ask_for_change(imported, parcel_id, *, by, now):
    """The numbers of a parcel were corrected: the shop hears it when it knows others, or refused them."""
    parcel = ParcelRecord.objects.get(parcel_id=parcel_id)
    reports = Report.objects.filter(imported=imported, what=What.SHIPPED, subject_id=parcel_id)
    if Report.objects.filter(imported=imported, what=What.RETURN_LABEL, subject_id=parcel_id).exists():
        ask(imported, What.RETURN_LABEL, parcel_id, by=by, now=now)
    for report in reports.exclude(state__in=OPEN).lock_all():
        known = report.notes.get("known")
        if report.notes.get("taken_back") or known == _numbers(parcel):
            continue
        if known is not None or report.state == State.PARKED:
            report.state, report.due_since = State.UNKNOWN if known is None else State.DUE, now
            report.because(None)
            report.save(update_fields=["state", "reason_code", "reason_params", "due_since"])
            emit(ReportDue(report_id=report.pk), by=by, now=now)


def _numbers(parcel):
    """What a shop is told of a parcel and a person may correct later."""
    return [getattr(parcel, name) for name in NUMBERS]


def on_parcel_handed_over(event, *, by, now):
    _ask(event, "handover", by=by, now=now)


def _ask(event, moment, *, by, now):
    imported = _imported(event.order_id)
    if imported is None:
        return None
    options = _options(imported.connection)
    if options["reports_shipments"] and options["report_at"] == moment:
        ask(imported, What.SHIPPED, event.parcel_id, by=by, now=now)
    return imported


def on_parcel_taken_back(event, *, by, now):
    """Withdraw what the shop does not know yet; what it knows is undone there, by a person where the source has no way."""
    reports = Report.objects.filter(what=What.SHIPPED, subject_id=event.parcel_id)
    if not reports.exists():
        return
    for report in reports.lock_all():
        if report.state == State.DUE and report.attempts == 0:
            report.delete()  # it is asked for again with the next handover
        elif report.state != State.SKIPPED:
            report.notes = {**report.notes, "taken_back": True}
            is_undone = report.state == State.SENT and _can_undo(report)
            report.state = State.DUE if is_undone else State.PARKED
            report.because(None if is_undone else reason("TAKEN_BACK_LATE"))
            report.due_since = now
            report.save(update_fields=["state", "notes", "reason_code", "reason_params", "due_since"])
            if is_undone:
                emit(ReportDue(report_id=report.pk), by=by, now=now)


def _can_undo(report):
    return hasattr(kind_of(report.connection).report, "undo")


def on_parcel_delivered(event, *, by, now):
    imported = _imported(event.order_id)
    if imported is None or not kind_of(imported.connection).hears_of_deliveries:
        return
    if _options(imported.connection)["reports_shipments"]:
        ask(imported, What.DELIVERED, event.parcel_id, by=by, now=now)


def on_return_recorded(event, *, by, now):
    imported = _imported(event.order_id)
    if imported is None or not kind_of(imported.connection).hears_of_returns:
        return
    if _options(imported.connection)["reports_returns"]:
        ask(imported, What.RETURNED, event.return_id, by=by, now=now)


def on_return_opened(event, *, by, now):
    """The number of a return label is told when the source can take it; what has a label there already stays."""
    imported = _imported(event.order_id)
    if imported is None or not kind_of(imported.connection).hears_of_return_labels:
        return
    options = _options(imported.connection)
    if options["reports_shipments"] and options["reports_return_labels"]:
        parcels = ParcelRecord.objects.filter(order=event.order_id).exclude(return_tracking_number="")
        for parcel in parcels:
            ask(imported, What.RETURN_LABEL, parcel.parcel_id, by=by, now=now)


def on_short_recorded(event, *, by, now):
    imported = _imported(event.order_id)
    if imported is not None and _options(imported.connection)["reports_cancellations"]:
        ask(imported, What.SHORT, event.order_line_id, by=by, now=now)


def on_order_cancelled(event, *, by, now):
    """Tell the shop of a cancellation that did not come from it."""
    if isinstance(by, Connection):
        return
    imported = _imported(event.order_id)
    if imported is not None and _options(imported.connection)["reports_cancellations"]:
        ask(imported, What.CANCELLED, event.order_id, by=by, now=now)


def _imported(order_id):
    return ImportedOrder.objects.select_related("connection").filter(order=order_id).first()


def _options(connection):
    return kind_of(connection).options(connection.settings)


def ask(imported, what, subject_id, *, by, now):
    """Note what has to be reported; the same thing again makes the same row due.

    More missing units of a line, and another return, are told with every event: the row may be on its way with those
    before.
    """
    report, is_new = Report.objects.get_or_create(
        connection=imported.connection,
        what=what,
        subject_id=subject_id,
        defaults={"imported": imported, "created_at": now, "due_since": now},
    )
    if not is_new and what in AGAIN:
        if report.state in {State.SENT, State.SKIPPED}:
            report.state, report.due_since = State.DUE, now
            report.because(None)
            report.save(update_fields=["state", "reason_code", "reason_params", "due_since"])
    elif not is_new and not report.notes.get("taken_back"):
        return report
    elif not is_new:
        # Handed over again after it was taken back: the shop knows it already, or is asked.
        report.state, report.due_since = State.UNKNOWN, now
        report.notes = _without(report.notes, "taken_back")
        report.because(None)
        report.save(update_fields=["state", "notes", "reason_code", "reason_params", "due_since"])
    emit(ReportDue(report_id=report.pk), by=by, now=now)
    return report


@transaction.atomic
def close(report_id, *, by):
    """Settle a refused report: a person told the shop, or need not. Others stay as they are."""
    report = Report.objects.lock(pk=report_id)
    if report.state != State.PARKED:
        return report
    if report.what == What.SHORT:
        report.notes = _all_told(report)
    _take_for_known(report)
    report.state = State.SKIPPED
    report.because(reason("CLOSED", person=by))
    report.save(update_fields=["state", "notes", "reason_code", "reason_params"])
    return report


@transaction.atomic
def retry(report_id, *, by, now):
    """Send a refused report again; others stay as they are."""
    report = Report.objects.lock(pk=report_id)
    if report.state != State.PARKED:
        return report
    report.state, report.due_since = State.UNKNOWN if report.attempts else State.DUE, now
    report.because(None)
    report.save(update_fields=["state", "reason_code", "reason_params", "due_since"])
    emit(ReportDue(report_id=report.pk), by=by, now=now)
    return report


# Sending, in a worker


def send(event):
    """Report one thing to its source. Called again, it looks first whether the source has it."""
    now = timezone.now()
    report = (
        Report.objects.select_related("connection", "imported__connection", "imported__order")
        .filter(pk=event.report_id)
        .first()
    )
    if report is None or not _is_wanted(report):
        return
    if report.connection.is_paused:
        raise RetryLater("The connection is paused.", seconds=60)
    free = Report.objects.filter(
        Q(sending_until=None) | Q(sending_until__lt=now), pk=report.pk, state=report.state
    )
    report.state = State.UNKNOWN if report.state == State.UNKNOWN else State.DUE
    if not free.update(state=report.state, sending_until=now + LEASE, attempts=F("attempts") + 1):
        raise RetryLater("Another worker is at it.")
    is_first = report.attempts == 0 and report.state == State.DUE
    is_undone = bool(report.notes.get("taken_back")) and _can_undo(report)
    job = None if is_undone else prepare(report)
    if job is None and not is_undone:
        if report.notes.get("units"):  # it was told, and all that is left of it came after all
            _finish(report, State.SENT)
        elif report.notes.get("taken_back"):
            _finish(report, State.PARKED, why=reason("TAKEN_BACK_LATE"))
        else:
            _finish(report, State.SKIPPED, why=reason("TAKEN_BACK"))
        return
    try:
        remote_id = _undo(report) if job is None else _deliver(job, is_first)
    except NotReportable as failure:
        _finish(report, State.PARKED if failure.is_fault else State.SKIPPED, why=failure.reason)
    except http.Rejected as failure:
        report.notes = _without(report.notes, "tried")  # other numbers may go out next time
        _finish(report, State.PARKED, why=reason("SOURCE_REFUSED", message=failure))
    except http.Unknown as failure:
        _put_off(report, State.UNKNOWN, failure)
    except http.Throttled as failure:
        _put_off(report, report.state, failure, seconds=failure.seconds)
    except http.SourceError as failure:
        Connection.objects.filter(pk=report.connection_id).note_error(failure, now=timezone.now())
        _put_off(report, report.state, failure)
    except BaseException:
        # What broke off inside may have arrived.
        _finish(report, State.UNKNOWN)
        raise
    else:
        if is_undone:
            report.notes = _without(report.notes, "known")
            _finish(report, State.SKIPPED, why=reason("TAKEN_BACK_THERE"))
            return
        _finish(report, State.SENT, remote_id=remote_id)
        send(event)  # what went missing, or was corrected, meanwhile


def _is_wanted(report):
    """Whether there is something to tell: also of what is told already, when more units of it went missing, or a
    number was corrected.
    """
    if report.what == What.SHORT and report.state == State.SENT:
        return _missing(report) > report.notes.get("units", 0)
    if report.what == What.SHIPPED and report.state == State.SENT and "known" in report.notes:
        parcels = ParcelRecord.objects.filter(parcel_id=report.subject_id)
        return any(_numbers(parcel) != report.notes["known"] for parcel in parcels)
    return report.state in OPEN


def _missing(report):
    records = ShortRecord.objects.filter(line=report.subject_id)
    return records.aggregate(units=Sum("quantity"))["units"] or 0


def _all_told(report):
    return _without(report.notes, "asked") | {"units": _missing(report)}


def _without(notes, name):
    return {key: note for key, note in notes.items() if key != name}


def _take_for_known(report):
    """The numbers of the last attempt are those that the shop has."""
    if "tried" in report.notes:
        report.notes = _without(report.notes, "tried") | {"known": report.notes["tried"]}


def _undo(report):
    with open_client(report.connection) as client:
        kind_of(report.connection).report.undo(client, report)
    return report.remote_id


def _deliver(job, is_first):
    connector = kind_of(job.report.connection).report
    known = job.report.notes.get("known")
    is_changed = job.what == What.SHIPPED and known not in (None, job.report.notes["tried"])
    if is_changed and not hasattr(connector, "change"):
        raise NotReportable("NUMBER_CHANGED")
    with open_client(job.report.connection) as client:
        if is_changed:
            return connector.change(client, job)
        if not is_first and (remote_id := connector.find(client, job)):
            return remote_id
        return connector.send(client, job)


def _put_off(report, state, failure, *, seconds=None):
    """Try again later; what fails for days is for a person."""
    if timezone.now() - report.due_since > GIVE_UP_AFTER:
        _finish(report, State.PARKED, why=reason("SOURCE_REFUSED", message=failure))
        return
    _finish(report, state)
    raise RetryLater(str(failure), seconds=seconds) from failure


@transaction.atomic
def _finish(report, state, *, remote_id="", why=None):
    stored = Report.objects.lock(pk=report.pk)
    if report.notes.get("taken_back") and not stored.notes.get("taken_back"):
        # It went out again while it was undone: it is asked for anew.
        stored.sending_until = None
        stored.save(update_fields=["sending_until"])
        return
    if stored.reason_code == "TAKEN_BACK_LATE":  # while it was sent
        state, why = State.PARKED, stored.reason
        report.notes = {**report.notes, "taken_back": True}
    report.state, report.sending_until = state, None
    report.sent_at = timezone.now() if state == State.SENT else None
    if state == State.SENT:
        _take_for_known(report)
    if state == State.SENT and "asked" in report.notes:
        told = report.notes.pop("asked")
        report.notes = {**report.notes, "units": told}
    report.remote_id = remote_id[:255] or report.remote_id
    report.because(why)
    report.save(
        update_fields=[
            *("state", "sending_until", "sent_at", "remote_id", "notes", "reason_code", "reason_params")
        ]
    )


def prepare(report):
    """What is to be reported, as it is now; None when it is no longer so."""
    imported = report.imported
    if imported.order is None:
        return None
    lines = {str(line.pk): line for line in OrderLine.objects.filter(order=imported.order)}
    if report.what in {What.SHIPPED, What.RETURN_LABEL}:
        return _parcel_job(report, lines)
    if report.what == What.DELIVERED:
        return _parcel_job(report, lines, is_last=is_delivered(imported))
    if report.what == What.RETURNED:
        return _return_job(report, lines)
    if report.what == What.SHORT:
        return _short_job(report, lines)
    everything = [_line(imported, line, line.quantity) for line in lines.values()]
    return _job(report, everything)


def _parcel_job(report, lines, **more):
    imported, moment = report.imported, _options(report.connection)["report_at"]
    parcel = ParcelRecord.objects.filter(order=imported.order, parcel_id=report.subject_id).first()
    if parcel is None or (moment == "handover" and parcel.handed_over_at is None):
        return None
    content = [
        _line(imported, lines[item["line"]], item["quantity"])
        for item in parcel.items
        if item["line"] in lines
    ]
    if report.what == What.SHIPPED:
        _note_attempt(report, parcel)
        more["number"] = _number(report)
    carrier = Carrier.objects.filter(key=parcel.carrier_key).first()
    table = _options(report.connection)["carriers"] or {}
    return _job(
        report,
        content,
        parcel=parcel,
        carrier_key=parcel.carrier_key,
        carrier=table.get(parcel.carrier_key) or (carrier.name if carrier else parcel.carrier_key),
        **more,
    )


@transaction.atomic
def _number(report):
    """The number of a parcel within its order, from 1. It stays, and is given to no other parcel."""
    if "parcel" not in report.notes:
        ImportedOrder.objects.lock(pk=report.imported_id)  # no two reports choose at once
        others = Report.objects.filter(imported=report.imported_id, what=What.SHIPPED, attempts__gt=0)
        given = [
            notes.get("parcel", 0) for notes in others.exclude(pk=report.pk).values_list("notes", flat=True)
        ]
        report.notes = {**report.notes, "parcel": max(len(given), *given, 0) + 1}
        report.save(update_fields=["notes"])
    return report.notes["parcel"]


def _note_attempt(report, parcel):
    """Until an answer comes an attempt is repeated with the numbers of the first one: by them it is looked for. What
    was corrected since is told after it.
    """
    if "tried" in report.notes:
        for name, value in zip(NUMBERS, report.notes["tried"], strict=True):
            setattr(parcel, name, value)
        return
    report.notes = {**report.notes, "tried": _numbers(parcel)}
    report.save(update_fields=["notes"])


def _return_job(report, lines):
    record = ReturnRecord.objects.filter(return_id=report.subject_id).first()
    if record is None:
        return None
    return _job(
        report,
        [
            dataclasses.replace(
                _line(report.imported, lines[item["line"]], item["quantity"]),
                is_accepted=item["is_accepted"],
                condition=item["condition"],
                reason=item["reason"],
            )
            for item in record.items
            if item["line"] in lines
        ],
    )


def _short_job(report, lines):
    """Units that were not told yet. Until an answer comes, an attempt is repeated with the units of the first one:
    what went missing since is told after it.
    """
    line, told = lines.get(str(report.subject_id)), report.notes.get("units", 0)
    asked = report.notes.get("asked") or _missing(report)
    if line is None or asked <= told:
        return None
    report.notes = {**report.notes, "asked": asked}
    report.save(update_fields=["notes"])
    return _job(report, [_line(report.imported, line, asked - told)])


def _line(imported, line, quantity):
    line_id, known = imported.line_of(line)
    return ReportLine(line_id, tuple(known.get("ids", ())), quantity)


def _job(report, lines, **more):
    facts = {"parcel": None, "number": 0, "is_last": is_complete(report.imported), **more}
    return Job(report=report, imported=report.imported, order=report.imported.order, lines=lines, **facts)


def is_complete(imported):
    """Whether every unit of the whole order in the shop, all its ship groups, is on its way or will not come."""
    ids = _orders_of(imported)
    ordered = OrderLine.objects.filter(order__in=ids).aggregate(units=Sum("quantity"))["units"] or 0
    missing = ShortRecord.objects.filter(line__order__in=ids).aggregate(units=Sum("quantity"))["units"] or 0
    parcels = ParcelRecord.objects.filter(order__in=ids)
    if _options(imported.connection)["report_at"] == "handover":
        parcels = parcels.exclude(handed_over_at=None)
    shipped = sum(item["quantity"] for items in parcels.values_list("items", flat=True) for item in items)
    return shipped + missing >= ordered


def is_delivered(imported):
    """Whether every parcel of the whole order in the shop is with the customer, and no more will come."""
    parcels = ParcelRecord.objects.filter(order__in=_orders_of(imported))
    return is_complete(imported) and not parcels.exclude(tracking_status=ParcelRecord.DELIVERED).exists()


def _orders_of(imported):
    """Ids of our orders that stand for an order of the shop: one per ship group."""
    orders = ImportedOrder.objects.filter(
        connection=imported.connection, external_id=imported.external_id
    ).exclude(order__status__in=[Order.Status.CANCELLED, Order.Status.OBSOLETE])
    return [order_id for order_id in orders.values_list("order", flat=True) if order_id]
