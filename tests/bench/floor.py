"""What an import costs at the least in this framework: a plain serializer and two bulk_creates, nothing else."""

from django.db import transaction
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.response import Response

from fulfillment.core.models import Channel, IdempotencyKey
from orders.models import Order, OrderLine


class AddressSerializer(serializers.Serializer):
    firstName = serializers.CharField()
    lastName = serializers.CharField()
    street = serializers.CharField()
    houseNumber = serializers.CharField()
    postalCode = serializers.CharField()
    city = serializers.CharField()
    country = serializers.CharField(max_length=2)


class ConsumerSerializer(serializers.Serializer):
    email = serializers.EmailField()
    addresses = AddressSerializer(many=True)


class ArticleSerializer(serializers.Serializer):
    tenantArticleId = serializers.CharField()
    title = serializers.CharField()


class LineSerializer(serializers.Serializer):
    article = ArticleSerializer()
    quantity = serializers.IntegerField(min_value=1)


class OrderSerializer(serializers.Serializer):
    orderDate = serializers.DateTimeField()
    tenantOrderId = serializers.CharField()
    consumer = ConsumerSerializer()
    orderLineItems = LineSerializer(many=True)


@api_view(["POST"])
@authentication_classes([])
@permission_classes([])
def place_bare(request):
    serializer = OrderSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    data = serializer.validated_data
    channel_id = Channel.objects.values_list("pk", flat=True).get(key="bench-floor")
    order = Order(
        channel_id=channel_id,
        tenant_order_id=data["tenantOrderId"],
        order_date=data["orderDate"],
        created_at=timezone.now(),
        recipient_name=data["consumer"]["addresses"][0]["lastName"],
        consumer=data["consumer"],
    )
    with transaction.atomic():
        Order.objects.bulk_create([order])
        OrderLine.objects.bulk_create(
            OrderLine(
                order=order,
                position=position,
                sku=line["article"]["tenantArticleId"],
                title=line["article"]["title"],
                quantity=line["quantity"],
            )
            for position, line in enumerate(data["orderLineItems"])
        )
    return Response({"id": order.pk}, status=status.HTTP_201_CREATED)


@api_view(["POST"])
@authentication_classes([])
@permission_classes([])
def store_bare(request):
    """One row with what came, and nothing else."""
    IdempotencyKey.objects.create(
        caller="bench-floor", key=request.headers["X-Shopify-Webhook-Id"], digest="", answer=request.data
    )
    return Response(status=status.HTTP_200_OK)
