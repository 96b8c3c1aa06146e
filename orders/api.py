from django.conf import settings
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import ORDERS, READ
from fulfillment.core.api.document import PAGE, operation
from fulfillment.core.api.idempotency import LONGEST_KEY, caller_of, once
from fulfillment.core.api.paging import page
from fulfillment.core.api.parsing import TooLarge
from fulfillment.core.api.schema import Integer, List, Text, boolean, validate
from fulfillment.core.api.search import CUSTOM_ATTRIBUTES, SEARCH, TAGS, Field, Items, payload, search
from fulfillment.core.api.views import ApiView
from fulfillment.core.errors import Refused, VersionConflict
from fulfillment.core.models import ApiToken
from orders import bulk, services, wire
from orders.models import BulkImport, Order


def _names_facilities(data):
    preferences = data.get("deliveryPreferences") or {}
    return bool(
        preferences.get("collect") or (preferences.get("shipping") or {}).get("preselectedFacilities")
    )


class OrderView(ApiView):
    """What the order views share: a token sees its channel, a person what the roles reach."""

    def orders(self):
        caller = self.request.user
        if isinstance(caller, ApiToken):
            return Order.objects.of_channel(caller.channel, self.facility_ids)
        return Order.objects.all() if self.facility_ids is None else Order.objects.seen_at(self.facility_ids)

    def channel(self):
        """The sales channel of the orders that the caller brings."""
        if self.request.user.channel is None:
            raise PermissionDenied(
                "Your account has no sales channel. An administrator can choose one for it."
            )
        return self.request.user.channel


class OrderList(OrderView):
    """POST and GET /api/orders"""

    access = {"POST": ORDERS, "GET": READ}

    @operation(
        "createOrder",
        "Place an order",
        body=wire.order_for_creation,
        answers={201: wire.order},
        errors=(409, 422),
    )
    def post(self, request):
        data = validate(wire.order_for_creation, request.data)
        channel = self.channel()

        def step(is_second):
            order = services.place(
                data,
                channel=channel,
                by=request.user,
                now=timezone.now(),
                allowed_facilities=self.facility_ids if _names_facilities(data) else None,
                look_for_number=is_second,
            )
            location = reverse("api-order", args=[order.pk])
            return Response(
                wire.represent(order, order.placed_lines), status=201, headers={"Location": location}
            )

        return once(request, step)

    @operation(
        "listOrders",
        "Orders, the newest first",
        query={**PAGE, "tenantOrderId": wire.short, "consumerId": wire.short},
        answers={200: wire.stripped_orders},
    )
    def get(self, request):
        orders = self.orders()
        if number := request.query_params.get("tenantOrderId"):
            orders = orders.filter(tenant_order_id=number)
        if consumer := request.query_params.get("consumerId"):
            orders = orders.filter(consumer__consumerId=consumer)
        rows, total = page(request, orders.prefetch_related("lines"))
        return Response({"orders": [wire.represent_stripped(order) for order in rows], "total": total})


class OrderSearch(OrderView):
    """POST /api/orders/search"""

    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id"),
        "processId": Field("process_id", "id"),
        "status": Field("status", is_sortable=True),
        "tenantOrderId": Field("tenant_order_id"),
        "orderDate": Field("order_date", "time", is_sortable=True),
        "created": Field("created_at", "time"),
        "lastModified": Field("modified_at", "time"),
        "consumer": {
            "consumerId": Field("consumer__consumerId"),
            "email": Field("consumer__email"),
            "addresses": Items(
                "consumer",
                (
                    *("addressType", "city", "companyName", "country", "email", "firstName"),
                    *("houseNumber", "lastName", "postalCode", "province", "street"),
                ),
                within="addresses",
            ),
        },
        "customAttributes": CUSTOM_ATTRIBUTES,
        "tags": TAGS,
        "orderLineItems": {
            "article": {"tenantArticleId": Field("lines__sku"), "title": Field("lines__title")}
        },
        "deliveryPreferences": {
            "collect": {
                "facilityRef": Field("collect_facility", "id"),
                "paid": Field("is_paid", "boolean"),
            },
            "shipping": {"serviceLevel": Field("service_level")},
            "targetTime": Field("target_time", "time"),
        },
        "paymentInfo": {"currency": Field("extra__paymentInfo__currency")},
    }

    @operation(
        "searchOrders", "Search orders", body=payload, request_example=SEARCH, answers={200: wire.order_page}
    )
    def post(self, request):
        rows, info, total = search(request.data, self.orders().prefetch_related("lines"), self.fields)
        found = [wire.represent(order, order.lines.all()) for order in rows]
        answer = {"orders": found, "pageInfo": info}
        return Response(answer if total is None else {**answer, "total": total})


class OrderDetail(OrderView):
    """GET and PATCH /api/orders/{id}"""

    access = {"GET": READ, "PATCH": ORDERS}

    @operation("getOrder", "One order", answers={200: wire.order}, errors=(404,))
    def get(self, request, pk):
        orders = self.orders()
        order = get_object_or_404(orders, pk=pk)
        return Response(wire.represent(order, order.lines.all()))

    @operation(
        "updateOrder",
        "Change an order before it is picked",
        body=wire.order_for_update,
        answers={200: wire.order},
        errors=(404, 409, 422),
    )
    def patch(self, request, pk):
        data = validate(wire.order_for_update, request.data)
        order = get_object_or_404(self.orders(), pk=pk)
        changed = services.modify(
            order.pk, data, by=request.user, now=timezone.now(), version=data["version"]
        )
        return Response(wire.represent(changed, changed.lines.all()))


class OrderActions(OrderView):
    """POST /api/orders/{id}/actions"""

    access = {"POST": ORDERS}

    @operation(
        "orderAction",
        "Unlock, cancel, confirm or extend a promise, change addresses",
        body=wire.order_action,
        answers={200: wire.order},
        errors=(404, 409, 422),
    )
    def post(self, request, pk):
        data = validate(wire.order_action, request.data)
        order = get_object_or_404(self.orders(), pk=pk)

        def step(is_second):
            changed = _act(order.pk, data, by=request.user, now=timezone.now(), version=data["version"])
            return Response(wire.represent(changed, changed.lines.all()))

        return once(request, step)


def _act(pk, data, **who):
    """Front end of the services behind the actions of an order."""
    name = data["name"]
    if name == "UNLOCK":
        return services.unlock(pk, target_time=services.moment(data.get("targetTime")), **who)
    if name == "CONFIRM_PROMISE":
        return services.confirm_promise(pk, number=data.get("tenantOrderId"), **who)
    if name == "EXTEND_PROMISE":
        return services.extend_promise(pk, until=services.moment(data.get("validUntil")), **who)
    if name == "REPLACE_CONSUMER_ADDRESSES":
        return services.replace_addresses(pk, data["consumerAddresses"], **who)
    if name == "CHANGE_CONSUMER_ADDRESS":
        address = {**data["consumerAddress"], "addressType": data["addressType"]}
        return services.replace_addresses(pk, [address], only=data["addressType"], **who)
    reason = data.get("reason") or data.get("cancelationReasonId", "")
    if name == "FORCE_CANCEL":
        return services.force_cancel(pk, reason=reason, **who)
    try:
        return services.cancel(pk, reason=reason, **who)
    except VersionConflict:
        raise
    except Refused as refusal:
        refusal.status_code = 400  # clients take 400 for "too late to cancel"
        raise


class BulkList(OrderView):
    """POST /api/orders/bulk"""

    access = {"POST": ORDERS}

    @operation(
        "createOrdersInBulk",
        "Place up to 10,000 orders: JSON lines or a JSON array, written by a worker",
        body=List(wire.order_for_creation, most=bulk.MOST_ROWS),
        query={"dryRun": boolean},
        answers={202: wire.bulk_import},
        errors=(409,),
    )
    def post(self, request):
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > LONGEST_KEY:
            raise ValidationError({"Idempotency-Key": [f"must not be longer than {LONGEST_KEY} characters"]})
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.BULK_MAX_BYTES:
            raise TooLarge(settings.BULK_MAX_BYTES)
        received, is_new = bulk.receive(
            request._request,  # the bytes as they come; the framework would hold them all
            channel=self.channel(),
            by=request.user,
            caller=caller_of(request),
            key=key,
            facility_ids=self.facility_ids,
            is_dry_run=request.query_params.get("dryRun", "").lower() == "true",
            now=timezone.now(),
        )
        headers = {"Location": reverse("api-order-bulk", args=[received.pk])}
        if not is_new:
            headers["Idempotency-Replayed"] = "true"
        return Response(wire.represent_bulk(received, []), status=202, headers=headers)


class BulkDetail(OrderView):
    """GET /api/orders/bulk/{id}"""

    access = {"GET": ORDERS}

    @operation(
        "getOrdersInBulk",
        "How far a bulk is, and what became of its rows",
        query={"size": Integer(1, 1000), "startAfterId": Integer(1), "result": Text(100)},
        answers={200: wire.bulk_import},
        errors=(404,),
    )
    def get(self, request, pk):
        found = get_object_or_404(BulkImport.objects.filter(caller=caller_of(request)), pk=pk)
        rows = found.results.all()
        if outcomes := paging.values(request, "result"):
            rows = rows.filter(outcome__in=outcomes)
        if after := request.query_params.get("startAfterId", ""):
            if not (after.isascii() and after.isdigit() and len(after) < 10):
                raise ValidationError({"startAfterId": ["must be the number of the last row"]})
            rows = rows.filter(number__gt=int(after))
        return Response(wire.represent_bulk(found, rows[: paging.read_size(request, 1000)]))
