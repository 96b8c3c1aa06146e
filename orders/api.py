from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.response import Response

from fulfillment.core.api.auth import has_scope
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.paging import page
from fulfillment.core.api.schema import validate
from fulfillment.core.api.views import ApiView
from fulfillment.core.models import ApiToken
from orders import services, wire
from orders.models import Order

may_read, may_order = has_scope(ApiToken.Scope.READ), has_scope(ApiToken.Scope.ORDERS)


def _limits(token):
    """Ids of the facilities a token is limited to, None when it may use all."""
    return set(token.facilities.values_list("pk", flat=True)) or None


def _names_facilities(data):
    preferences = data.get("deliveryPreferences") or {}
    return bool(
        preferences.get("collect") or (preferences.get("shipping") or {}).get("preselectedFacilities")
    )


class OrderList(ApiView):
    """POST and GET /api/orders"""

    def get_permissions(self):
        return [may_order() if self.request.method == "POST" else may_read()]

    def post(self, request):
        data = validate(wire.order_for_creation, request.data)
        token = request.auth
        allowed = _limits(token) if _names_facilities(data) else None

        def step(is_second):
            order = services.place(
                data,
                channel=token.channel,
                by=token,
                now=timezone.now(),
                allowed_facilities=allowed,
                look_for_number=is_second,
            )
            location = reverse("api-order", args=[order.pk])
            return Response(
                wire.represent(order, order.placed_lines), status=201, headers={"Location": location}
            )

        return once(request, step)

    def get(self, request):
        orders = Order.objects.of_channel(request.auth.channel, _limits(request.auth))
        if number := request.query_params.get("tenantOrderId"):
            orders = orders.filter(tenant_order_id=number)
        if consumer := request.query_params.get("consumerId"):
            orders = orders.filter(consumer__consumerId=consumer)
        rows, total = page(request, orders.prefetch_related("lines"))
        return Response({"orders": [wire.represent_stripped(order) for order in rows], "total": total})


class OrderDetail(ApiView):
    """GET /api/orders/{id}"""

    permission_classes = (may_read,)

    def get(self, request, pk):
        orders = Order.objects.of_channel(request.auth.channel, _limits(request.auth))
        order = get_object_or_404(orders, pk=pk)
        return Response(wire.represent(order, order.lines.all()))
