"""What later stages recorded for the shop is reported to its source: one row per thing, sent by a worker.

A write is never sent twice on suspicion: after an attempt whose end is not known, the source is asked first.
"""

import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from fulfillment.core.events import emit
from fulfillment.core.outbox import GIVE_UP_AFTER, RetryLater
from orders.models import ParcelRecord

from . import boxes, http
from .events import ReportDue
from .kind import NotReportable
from .models import Connection, ImportedOrder, Report
from .preparing import missing_units, numbers_of, options_of, prepare
from .reasons import reason
from .registry import kind_of, open_client

State, What = Report.State, Report.What
OPEN = [State.DUE, State.UNKNOWN]
AGAIN = [What.SHORT, What.RETURN_LABEL]
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
    parcels = {one.parcel_id: one for one in boxes.together(parcel)[0]}
    reports = Report.objects.filter(imported=imported, what=What.SHIPPED, subject_id__in=parcels)
    if Report.objects.filter(imported=imported, what=What.RETURN_LABEL, subject_id=parcel_id).exists():
        ask(imported, What.RETURN_LABEL, parcel_id, by=by, now=now)
    for report in reports.exclude(state__in=OPEN).lock_all():
        known = report.notes.get("known")
        if report.notes.get("taken_back") or known == numbers_of(parcels[report.subject_id]):
            continue
        if known is not None or report.state == State.PARKED:
            report.state, report.due_since = State.UNKNOWN if known is None else State.DUE, now
            report.because(None)
            report.save(update_fields=["state", "reason_code", "reason_params", "due_since"])
            emit(ReportDue(report_id=report.pk), by=by, now=now)


def on_parcel_handed_over(event, *, by, now):
    _ask(event, "handover", by=by, now=now)


def _ask(event, moment, *, by, now):
    imported = _imported(event.order_id)
    if imported is None:
        return None
    options = options_of(imported.connection)
    if options["reports_shipments"] and options["report_at"] == moment:
        parcel = ParcelRecord.objects.get(parcel_id=event.parcel_id)
        for one in boxes.ready(parcel, moment):
            if one.items or not one.parts:  # a box of mere parts is told with the units
                ask(imported, What.SHIPPED, one.parcel_id, by=by, now=now)
    return imported


def on_parcel_taken_back(event, *, by, now):
    """Withdraw what the shop does not know yet; what it knows is undone there, by a person where the source has no way."""
    imported = _imported(event.order_id)
    moment = options_of(imported.connection)["report_at"] if imported else ""
    others = [parcel.parcel_id for parcel in boxes.waiting(event.order_id, moment)] if imported else []
    reports = Report.objects.filter(what=What.SHIPPED, subject_id__in=[event.parcel_id, *others])
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
    if options_of(imported.connection)["reports_shipments"]:
        ask(imported, What.DELIVERED, event.parcel_id, by=by, now=now)


def on_return_recorded(event, *, by, now):
    imported = _imported(event.order_id)
    if imported is None or not kind_of(imported.connection).hears_of_returns:
        return
    if options_of(imported.connection)["reports_returns"]:
        ask(imported, What.RETURNED, event.return_id, by=by, now=now)


def on_return_opened(event, *, by, now):
    """The number of a return label is told when the source can take it; what has a label there already stays."""
    imported = _imported(event.order_id)
    if imported is None or not kind_of(imported.connection).hears_of_return_labels:
        return
    options = options_of(imported.connection)
    if options["reports_shipments"] and options["reports_return_labels"]:
        parcels = ParcelRecord.objects.filter(order=event.order_id).exclude(return_tracking_number="")
        parcels = parcels.exclude(items=[])
        for parcel in parcels:
            ask(imported, What.RETURN_LABEL, parcel.parcel_id, by=by, now=now)


def on_short_recorded(event, *, by, now):
    imported = _imported(event.order_id)
    if imported is not None and options_of(imported.connection)["reports_cancellations"]:
        ask(imported, What.SHORT, event.order_line_id, by=by, now=now)


def on_order_cancelled(event, *, by, now):
    """Tell the shop of a cancellation that did not come from it."""
    if isinstance(by, Connection):
        return
    imported = _imported(event.order_id)
    if imported is not None and options_of(imported.connection)["reports_cancellations"]:
        ask(imported, What.CANCELLED, event.order_id, by=by, now=now)


def _imported(order_id):
    return ImportedOrder.objects.select_related("connection").filter(order=order_id).first()


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
        return missing_units(report) > report.notes.get("units", 0)
    if report.what == What.SHIPPED and report.state == State.SENT and "known" in report.notes:
        parcels = ParcelRecord.objects.filter(parcel_id=report.subject_id)
        return any(numbers_of(parcel) != report.notes["known"] for parcel in parcels)
    return report.state in OPEN


def _all_told(report):
    return _without(report.notes, "asked") | {"units": missing_units(report)}


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
