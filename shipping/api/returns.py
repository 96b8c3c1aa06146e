"""Return jobs, and the returns of them, in the API."""

from functools import partial

from django.db import transaction
from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import READ, RETURNS
from fulfillment.core.api.document import PAGE, operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.patching import apply_together
from fulfillment.core.api.references import at_facilities, facility_in_body
from fulfillment.core.api.schema import Integer, Text, boolean, validate
from fulfillment.core.api.views import ApiView
from fulfillment.core.errors import NotOffered
from fulfillment.core.ids import uuid7

from .. import returns
from ..models import ItemReturn, ReturnCondition, ReturnedItem, ReturnJob, ReturnReason
from ..wire import returns as wire
from .reading import CHANGED, searched

LIST = {
    **PAGE,
    **dict.fromkeys(
        (
            "facilityId",
            "itemReturnJobScannableCodes",
            "itemReturnScannableCodes",
            "itemReturnJobStatus",
            "itemReturnStatus",
            "searchTerm",
        ),
        Text(500),
    ),
    "anonymized": boolean,
}
JOB_STEPS = {
    "StartItemReturnJob": returns.start_job,
    "FinishItemReturnJob": returns.finish_job,
    "RestartItemReturnJob": returns.restart_job,
}
RETURN_STEPS = {
    "AnnounceItemReturn": returns.await_again,
    "OpenItemReturn": returns.open_announced,
    "StartItemReturn": returns.start,
    "PauseItemReturn": returns.pause,
    "WaitForInputItemReturn": returns.wait_for_input,
    "FinishItemReturn": returns.finish,
    "CancelItemReturn": returns.cancel,
}
# How a return that a program adds comes to its status, once its units are in it.
UNTIL = {
    ItemReturn.Status.OPEN: [],
    ItemReturn.Status.IN_PROGRESS: [returns.start],
    ItemReturn.Status.PAUSED: [returns.start, returns.pause],
    ItemReturn.Status.WAITING_FOR_INPUT: [returns.wait_for_input],
    ItemReturn.Status.FINISHED: [returns.start, returns.finish],
}


class ReturnView(ApiView):
    """Return jobs are seen where goods of the order left, and where some came back."""

    def jobs(self):
        jobs = ReturnJob.objects.all()
        return jobs if self.facility_ids is None else jobs.at_any(self.facility_ids)

    def job(self, pk):
        return get_object_or_404(self.jobs(), pk=pk)

    def item_return(self, job_id, pk):
        """A return at a facility of the caller, of a job that the caller sees."""
        returns_here = self.at_my_facilities(ItemReturn.objects.for_api())
        return get_object_or_404(returns_here, pk=pk, job=self.job(job_id))

    def answer(self, pk):
        return Response(wire.represent_job(ReturnJob.objects.for_api().get(pk=pk)))


class ReturnJobList(ReturnView):
    access = {"GET": READ, "POST": RETURNS}

    @operation(
        "listItemReturnJobs",
        "What was handed over of orders and may come back, the newest first",
        query=LIST,
        answers={200: wire.return_jobs},
    )
    def get(self, request):
        rows = self._filtered(request, self.jobs())
        found, total = paging.page(request, rows.for_api())
        jobs = [wire.represent_job(row) | {"searchPaths": []} for row in found]
        return Response({"itemReturnJobsWithSearchPaths": jobs, "total": total})

    @staticmethod
    def _filtered(request, rows):
        if references := paging.values(request, "facilityId"):
            there = at_facilities(ItemReturn.objects.all(), references)
            rows = rows.filter(
                Q(pk__in=at_facilities(ReturnJob.objects.all(), references)) | Q(pk__in=there.values("job"))
            )
        if codes := paging.values(request, "itemReturnJobScannableCodes"):
            rows = rows.filter(
                Q(order__shipments__return_code__in=codes)
                | Q(order__shipments__parcels__return_tracking_number__in=codes)
            ).distinct()
        if codes := paging.values(request, "itemReturnScannableCodes"):
            rows = rows.filter(pk__in=[one.job_id for one in returns.announced_with(codes)])
        if statuses := paging.values(request, "itemReturnJobStatus"):
            rows = rows.filter(status__in=statuses)
        if statuses := paging.values(request, "itemReturnStatus"):
            rows = rows.filter(item_returns__status__in=statuses).distinct()
        return searched(request, rows)

    @operation(
        "createItemReturnJob",
        "The return job of an order: it exists as soon as goods of it are handed over",
        body=wire.job_for_creation,
        answers={303: None},
        errors=(422,),
    )
    def post(self, request):
        data = validate(wire.job_for_creation, request.data)
        process = paging.as_uuid(data.get("processRef", ""))
        named = (
            {"order__process_id": process}
            if process
            else {"order__tenant_order_id": data.get("tenantOrderId")}
        )
        job = self.jobs().filter(**named).order_by("-pk").first()
        if job is None:
            raise returns.ReturnNeedsHandover
        return Response(status=303, headers={"Location": reverse("api-return-job", args=[job.pk])})


class ReturnJobDetail(ReturnView):
    access = {"GET": READ}

    @operation("getItemReturnJob", "One return job", answers={200: wire.return_job}, errors=(404,))
    def get(self, request, pk):
        return self.answer(self.job(pk).pk)


class ReturnJobActions(ReturnView):
    access = {"POST": RETURNS}

    @operation(
        "actOnItemReturnJob",
        "Start, finish or restart to take returns of an order; say which lines may be returned",
        body=wire.job_action,
        answers={200: wire.return_job},
        errors=CHANGED,
    )
    def post(self, request, pk):
        data = validate(wire.job_action, request.data)
        self.job(pk)
        who = {"by": request.user, "now": timezone.now(), "version": data["version"]}

        def step(is_second):
            name = data["name"]
            if name == wire.REPLACE:
                raise NotOffered(
                    feature=wire.REPLACE,
                    instead=f"The lines are what was handed over; {wire.ALLOW} and its counterpart say what may come back.",
                )
            if name in JOB_STEPS:
                JOB_STEPS[name](pk, **who)
            else:
                lines = _ids(data["lineItemIds"], "lineItemIds")
                returns.allow(pk, lines, name == wire.ALLOW, **who)
            return self.answer(pk)

        return once(request, step)


class ItemReturnList(ReturnView):
    access = {"GET": READ, "POST": RETURNS}

    @operation(
        "listItemReturns",
        "The returns of a job",
        answers={200: wire.item_returns},
        errors=(404,),
    )
    def get(self, request, pk):
        rows = self.job(pk).item_returns.for_api().order_by("pk")
        return Response([wire.represent_item_return(row) for row in rows])

    @operation(
        "addItemReturn",
        "Announce a return, or say what came back and what becomes of it",
        body=wire.adding,
        answers={200: wire.return_job},
        errors=CHANGED,
    )
    def post(self, request, pk):
        data = validate(wire.adding, request.data)
        self.job(pk)
        given = data["itemReturnForCreation"]
        facility = _facility(self, given)
        entries = _entries(given)
        who = {"by": request.user, "now": timezone.now()}

        def step(is_second):
            _add(pk, given, entries, facility, data["itemReturnJobVersion"], who)
            return self.answer(pk)

        return once(request, step)


class ItemReturnDetail(ReturnView):
    access = {"GET": READ, "DELETE": RETURNS}

    @operation("getItemReturn", "One return", answers={200: wire.item_return}, errors=(404,))
    def get(self, request, pk, return_pk):
        row = get_object_or_404(self.job(pk).item_returns.for_api(), pk=return_pk)
        return Response(wire.represent_item_return(row))

    @operation(
        "deleteItemReturn",
        "Cancel a return of which nothing came; it is kept as cancelled",
        query={"itemReturnJobVersion": Integer(0)},
        answers={200: wire.return_job},
        errors=CHANGED,
        deprecated=True,
    )
    def delete(self, request, pk, return_pk):
        version = request.query_params.get("itemReturnJobVersion", "")
        if not version.isascii() or not version.isdigit() or len(version) > 9:
            raise ValidationError({"itemReturnJobVersion": ["is required, and a number"]})
        row = self.item_return(pk, return_pk)
        returns.cancel(row.pk, by=request.user, now=timezone.now(), version=int(version))
        return self.answer(pk)


class ItemReturnActions(ReturnView):
    access = {"POST": RETURNS}

    @operation(
        "actOnItemReturn",
        "Move a return on; receive units of it, or judge those that are received",
        body=wire.return_action,
        answers={200: wire.return_job},
        errors=CHANGED,
    )
    def post(self, request, pk, return_pk):
        data = validate(wire.return_action, request.data)
        row = self.item_return(pk, return_pk)
        who = {"by": request.user, "now": timezone.now()}
        name, version = data["name"], data["itemReturnJobVersion"]
        if name == wire.RECEIVE:
            steps = _receiving(row.pk, data["lineItems"], who)
        elif name == wire.JUDGE:
            steps = _judging(row.pk, data["lineItems"], who)
        else:
            steps = [partial(RETURN_STEPS[name], row.pk, **who)]

        def step(is_second):
            apply_together(steps, version)
            return self.answer(pk)

        return once(request, step)


# What bodies say


def _ids(texts, path):
    """The ids that texts are. Refuses one that is none, naming its place."""
    found = [paging.as_uuid(text) for text in texts]
    for index, one in enumerate(found):
        if one is None:
            raise ValidationError({f"{path}[{index}]": [f"There is no line {texts[index]!r}."]})
    return found


def _facility(view, given):
    try:
        return facility_in_body(view, {"facilityRef": given["returnFacilityRef"]})
    except ValidationError as error:
        (problem,) = error.detail.values()
        raise ValidationError({"itemReturnForCreation.returnFacilityRef": problem}) from error


def _named(model, given):
    """The reason or condition with one of these names, None when there is none."""
    words = {word.casefold() for word in given.values() if isinstance(word, str)}
    rows = model.objects.filter(is_active=True)
    return next((row for row in rows if words & {row.key, *(n.casefold() for n in row.names.values())}), None)


def _words(given):
    """What a localized text says, with its comment."""
    said = next((word for word in given["reasonLocalized"].values() if isinstance(word, str)), "")
    return ". ".join(filter(None, [said, given.get("comment", "")]))[:300]


def _condition(entry):
    given = dict(entry.get("itemConditionLocalized") or {})
    if name := entry.get("itemCondition"):
        given["name"] = name
    return _named(ReturnCondition, given) if given else None


def _condition_words(entry):
    """The comment on the condition; the condition itself when we do not know it by that name."""
    words = [entry.get("itemConditionComment", "")]
    if _condition(entry) is None:
        localized = entry.get("itemConditionLocalized") or {}
        words.insert(0, entry.get("itemCondition") or next(iter(localized.values()), ""))
    return ". ".join(filter(None, words))[:300]


def _reason(entry):
    """(reason, comment) that an entry gives first; unknown words become the comment."""
    given = next(iter(entry.get("reasons") or []), None)
    if given is None:
        return None, ""
    known = _named(ReturnReason, {**given["reasonLocalized"], "reason": given.get("reason", "")})
    return known, given.get("comment", "") if known else _words(given)


def _entries(given):
    """The entries of a new return, those that came first; refuses what contradicts its status."""
    if given.get("returnedNotReturnableLineItems"):
        raise NotOffered(
            feature="returnedNotReturnableLineItems",
            instead=f"Let the line come back with {wire.ALLOW}, and reject the unit.",
        )
    if given["status"] != ItemReturn.Status.ANNOUNCED and given["status"] not in UNTIL:
        raise NotOffered(
            feature=f"A new return with the status {given['status']}",
            instead=f"It begins as ANNOUNCED, {', '.join(UNTIL)}.",
        )
    is_announced = given["status"] == ItemReturn.Status.ANNOUNCED
    base = "itemReturnForCreation.returnedLineItems"
    entries = given["returnedLineItems"]
    for index, entry in enumerate(entries):
        status, path = entry["status"], f"{base}[{index}].status"
        if status in {"CANCELED", "WAITING_FOR_INPUT"} or (is_announced and status != "OPEN"):
            raise ValidationError({path: ["must be OPEN" if is_announced else "is no status of a new unit"]})
        if status == "REJECTED" and "decisionReason" not in entry:
            raise ValidationError({f"{base}[{index}].decisionReason": ["is required"]})
    return sorted(entries, key=lambda entry: entry["status"] == "OPEN")


def _add(job_id, given, entries, facility, version, who):
    """Announce all units, and when they are here, receive and judge them one after the other, in one transaction."""
    lines = _ids([entry["itemReturnJobLineItemRef"] for entry in entries], "returnedLineItems")
    # Each entry is one unit, with reasons of its own.
    wanted = [
        returns.Wanted(line, 1, *_reason(entry), item_id=uuid7())
        for line, entry in zip(lines, entries, strict=True)
    ]
    with transaction.atomic():
        codes = given.get("scannableCodes", [])
        row = returns.announce(job_id, wanted, facility=facility, codes=codes, version=version, **who)
        if given["status"] == ItemReturn.Status.ANNOUNCED:
            return
        returns.open_announced(row.pk, **who)
        for one, entry in zip(wanted, entries, strict=True):
            if entry["status"] != "OPEN":
                _receive_one(row.pk, one, entry, who)
        for step in UNTIL[given["status"]]:
            row.refresh_from_db()
            if step is not returns.start or row.status != ItemReturn.Status.IN_PROGRESS:
                step(row.pk, **who)


def _receive_one(item_return_id, one, entry, who):
    ids = [one.item_id]
    items = returns.receive(
        item_return_id,
        one.line_id,
        1,
        _condition(entry),
        item_ids=ids,
        comment=_condition_words(entry),
        **who,
    )
    if entry["status"] == "REJECTED":
        returns.reject(item_return_id, ids, reason=_words(entry["decisionReason"]), **who)
    elif entry["status"] == "ACCEPTED" and items[0].verdict != ReturnedItem.Verdict.ACCEPTED:
        returns.accept(item_return_id, ids, ReturnedItem.Place.STOCK, **who)


def _receiving(item_return_id, entries, who):
    lines = _ids([entry["itemReturnJobLineItemRef"] for entry in entries], "lineItems")
    return [
        partial(
            returns.receive,
            item_return_id,
            line,
            entry["quantity"],
            _condition(entry),
            reason=_reason(entry)[0],
            comment=_condition_words(entry),
            **who,
        )
        for line, entry in zip(lines, entries, strict=True)
    ]


def _judging(item_return_id, entries, who):
    steps = []
    for item, entry in zip(_ids([entry["id"] for entry in entries], "lineItems"), entries, strict=True):
        reason = _words(entry["decisionReason"]) if "decisionReason" in entry else ""
        if entry["status"] == ReturnedItem.Verdict.REJECTED:
            steps.append(partial(returns.reject, item_return_id, [item], reason=reason, **who))
            continue
        place = ReturnedItem.Place.DEFECTIVE if entry.get("isDefective") else ReturnedItem.Place.STOCK
        percent = entry.get("refundPercent")
        steps.append(
            partial(returns.accept, item_return_id, [item], place, percent=percent, reason=reason, **who)
        )
    return steps
