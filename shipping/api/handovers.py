"""Handover jobs in the API."""

from functools import partial

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import HAND_OVER, READ
from fulfillment.core.api.assigned import meant_for, read_assigned
from fulfillment.core.api.document import operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.patching import apply_together
from fulfillment.core.api.recording import read_updates
from fulfillment.core.api.schema import Text, read_moment, validate
from fulfillment.core.api.search import SEARCH, Field, payload, search
from fulfillment.core.api.views import ApiView
from fulfillment.core.errors import NotOffered
from fulfillment.core.models import Permission
from orders import wire as orders_wire

from .. import services
from ..models import HandoverJob
from ..wire import handovers as wire
from .reading import CHANGED, LIST, filtered


class HandoverView(ApiView):
    def jobs(self):
        return self.at_my_facilities(HandoverJob.objects.for_api())

    def answer(self, pk):
        return Response(wire.represent_handover(self.jobs().get(pk=pk)))


class HandoverList(HandoverView):
    access = {"GET": READ, "POST": HAND_OVER}

    @operation(
        "listHandoverJobs",
        "Handover jobs, the newest first",
        query={**LIST, **dict.fromkeys(("shipmentRef", "carrierRefs", "channel", "assignedUser"), Text(500))},
        answers={200: wire.handovers},
    )
    def get(self, request):
        rows = filtered(
            request,
            meant_for(self.jobs(), request),
            {"pickJobRef": "pick_job", "shipmentRef": "parcel__shipment", "carrierRefs": "parcel__carrier"},
        )
        if channels := paging.values(request, "channel"):
            rows = rows.filter(channel__in=channels)
        found, total = paging.page(request, rows)
        return Response({"handoverjobs": [wire.represent_handover(row) for row in found], "total": total})

    @operation(
        "createHandoverJob",
        "The handover job of a pick job: it exists as soon as its goods are ready",
        body=wire.handover_for_creation,
        answers={303: None},
        errors=(422,),
    )
    def post(self, request):
        data = validate(wire.handover_for_creation, request.data)
        pick_job = paging.as_uuid(data.get("pickJobRef", ""))
        existing = self.jobs().filter(pick_job=pick_job).order_by("pk").first() if pick_job else None
        if existing is None:
            raise services.HandoverNeedsGoods
        return Response(status=303, headers={"Location": reverse("api-handover", args=[existing.pk])})


class HandoverSearch(HandoverView):
    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id"),
        "channel": Field("channel"),
        "created": Field("created_at", "time", is_sortable=True),
        "facilityRef": Field("facility", "id"),
        "fullIdentifier": Field("recipient_name"),
        "pickJobRef": Field("pick_job", "id"),
        "shortIdentifier": Field("short_id"),
        "status": Field("status"),
        "targetTime": Field("target_time", "time"),
        "tenantOrderId": Field("order__tenant_order_id"),
        "recipientAddress": orders_wire.addresses_of("POSTAL_ADDRESS", "PARCEL_LOCKER", ""),
        "invoiceAddress": orders_wire.addresses_of("INVOICE_ADDRESS"),
        "handoverJobParcelInfo": {
            "carrierKey": Field("parcel__carrier__key"),
            "carrierRef": Field("parcel__carrier", "id"),
            "carrierTrackingNumber": Field("parcel__tracking_number"),
            "shipmentRef": Field("parcel__shipment", "id"),
        },
        "handoverJobLineItems": {
            "article": {"tenantArticleId": Field("lines__order_line__sku"), "title": Field("lines__title")}
        },
    }

    @operation(
        "searchHandoverJobs",
        "Search handover jobs",
        body=payload,
        request_example=SEARCH,
        answers={200: wire.handover_page},
    )
    def post(self, request):
        rows, info, total = search(request.data, self.jobs(), self.fields)
        body = {"handoverJobs": [wire.represent_handover(row) for row in rows], "pageInfo": info}
        return Response(body if total is None else body | {"total": total})


class HandoverDetail(HandoverView):
    access = {"GET": READ, "PATCH": HAND_OVER}

    @operation("getHandoverJob", "One handover job", answers={200: wire.handover}, errors=(404,))
    def get(self, request, pk):
        get_object_or_404(self.jobs(), pk=pk)
        return self.answer(pk)

    @operation(
        "patchHandoverJob",
        "Hand over, let wait, take back, cancel, or change name and attributes",
        body=wire.handover_patch,
        answers={200: wire.handover},
        errors=CHANGED,
    )
    def patch(self, request, pk):
        data = validate(wire.handover_patch, request.data)
        job = get_object_or_404(self.jobs(), pk=pk)
        who = {"by": request.user, "now": timezone.now()}
        steps = [step for action in data["actions"] for step in _steps(job, action, who)]
        apply_together(steps, data["version"])
        return self.answer(pk)


def _steps(job, action, who):
    """The services that one action of a PATCH asks for."""
    pk = job.pk
    if action["action"] == "CancelHandoverjob":
        yield partial(services.cancel_handover, pk, action["handoverJobCancelReason"], **who)
        return
    for name, instead in wire.ADDRESSES_NOT_OFFERED.items():
        # A program may send back what it read.
        if action.get(name) and action[name] != wire.represent_handover(job).get(name):
            raise NotOffered(feature=name, instead=instead)
    if {"customAttributes", "fullIdentifier"} & action.keys():
        yield partial(
            services.modify_handover,
            pk,
            custom_attributes=action.get("customAttributes"),
            recipient_name=action.get("fullIdentifier") or None,
            **who,
        )
    status = action.get("status")
    if status == HandoverJob.Status.HANDED_OVER:
        yield partial(services.hand_over, pk, **who)
    elif status == HandoverJob.Status.OPEN:
        yield partial(services.reopen_handover, pk, reason="API", **who)
    elif status == HandoverJob.Status.WAITING_FOR_INPUT:
        yield partial(services.wait_for_input, pk, **who)
    elif status not in {None, job.status}:
        raise NotOffered(feature=f"Setting the status {status}", instead=wire.STATUS_INSTEAD[status])


class HandoverActions(HandoverView):
    access = {"POST": HAND_OVER}

    @operation(
        "actOnHandoverJob",
        "CANCEL, FINISH_HANDOVER_JOB, UPDATE_LINEITEM, MOVE_HANDOVER_JOB_LINE_ITEMS, WAITING_FOR_INPUT, ADD_TARGET_TIME, REPLACE_ASSIGNED_USERS, or split and record",
        body=wire.handover_action,
        answers={200: wire.handover},
        errors=CHANGED,
    )
    def post(self, request, pk):
        data = validate(wire.handover_action, request.data)
        job = get_object_or_404(self.jobs(), pk=pk)
        who = {"by": request.user, "now": timezone.now(), "version": data["version"]}

        def step(is_second):
            match data["name"]:
                case "CANCEL":
                    services.cancel_handover(pk, data["payload"]["handoverJobCancelReason"], **who)
                case "FINISH_HANDOVER_JOB":
                    services.hand_over(pk, refused=_refused(job, data["lineItems"]), **who)
                case "UPDATE_LINEITEM":
                    _decide(job, data["lineItem"], who)
                case "WAITING_FOR_INPUT":
                    services.wait_for_input(pk, **who)
                case "ADD_TARGET_TIME":
                    services.modify_handover(pk, target_time=read_moment(data["targetTime"]), **who)
                case wire.MOVE:
                    services.move_missing(pk, _moves(job, data["items"]), **who)
                case wire.SPLIT:
                    splits = [
                        services.HandoverSplit(paging.as_uuid(item["lineItemId"]), item["quantity"])
                        for item in data["splitLineItemsInfo"]
                    ]
                    services.split_handover(pk, splits, **who)
                case wire.RECORD:
                    services.record_of_handover(pk, read_updates(data), **who)
                case "REPLACE_ASSIGNED_USERS":
                    users = read_assigned(data["assignedUsers"], job.facility, Permission.HAND_OVER)
                    services.assign_handover(pk, users, **who)
                case name:
                    raise NotOffered(feature=name, instead=wire.ACTIONS_NOT_OFFERED[name])
            return self.answer(pk)

        return once(request, step)


def _line(job, line_id, path):
    line = next((line for line in job.lines.all() if str(line.pk) == line_id), None)
    if line is None:
        raise ValidationError({path: [f"There is no line {line_id!r}."]})
    return line


def _words(note):
    """Why something is refused, in the words that were sent."""
    texts = note.get("reasonLocalized") or {}
    localized = next((text for text in texts.values() if isinstance(text, str)), "")
    return note.get("comment") or note.get("reason") or localized[:200]


@transaction.atomic
def _decide(job, entry, who):
    """Decide a line, and those that were picked in its place: they are lines of their own."""
    is_decided = {"CLOSED": True, "OPEN": False}.get(entry.get("status"))
    entries = [("lineItem", entry)]
    entries += [
        (f"lineItem.substituteItems[{index}]", one)
        for index, one in enumerate(entry.get("substituteItems", []))
    ]
    for path, one in entries:
        line, refused = _line(job, one["id"], f"{path}.id"), one.get("refused")
        if refused is not None:
            refused = [
                {"quantity": note["quantity"], "reason": _words(note), "comment": note.get("comment", "")}
                for note in refused
            ]
        services.decide_line(job.pk, line.pk, refused=refused, is_decided=is_decided, **who)
        who = {**who, "version": None}


def _moves(job, items):
    """``[(line id, units that are missing more)]`` of moves between what is there and what is not."""
    found = []
    for index, entry in enumerate(items):
        line = _line(job, entry["lineItemId"], f"items[{index}].lineItemId")
        ends = (entry["from"], entry["to"])
        if "EXPECTED" in ends:
            raise NotOffered(feature=f"items[{index}]: EXPECTED", instead=wire.EXPECTED_INSTEAD)
        if ends[0] == ends[1]:
            raise ValidationError({f"items[{index}].to": ["must be another list than from"]})
        found.append((line.pk, entry["targetQuantity"] * (1 if ends[1] == wire.GONE else -1)))
    return found


def _refused(job, items):
    """What of each line is not handed over, with the reason: ``{line id: (units, reason)}``."""
    found = {}
    # What was picked in place of a line is a line of its own.
    entries = [(f"lineItems[{index}]", entry) for index, entry in enumerate(items)]
    entries += [
        (f"{path}.substituteLineItems[{index}]", one)
        for path, entry in entries
        for index, one in enumerate(entry.get("substituteLineItems", []))
    ]
    for path, entry in entries:
        line = _line(job, entry["id"], f"{path}.id")
        if entry["handedOverQuantity"] > line.there:
            raise ValidationError({f"{path}.handedOverQuantity": [f"must be at most {line.there}"]})
        words = [_words(note) for note in entry.get("refused") or line.refused]
        found[line.pk] = (line.there - entry["handedOverQuantity"], ", ".join(filter(None, words)))
    return found
