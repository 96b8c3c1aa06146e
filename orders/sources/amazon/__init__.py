"""Amazon (Selling Partner API): a poll with a narrow rate, made faster by notifications from a queue or a bridge."""

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.sources.fields import ListField
from orders.sources.kind import Kind

from . import client, inbound, mapping, report

KIND = Kind(
    key="amazon",
    label="Amazon",
    client=client,
    mapping=mapping,
    inbound=inbound,
    report=report,
    poll_seconds=360,  # of the one request per 180 s that Amazon grants, half is left for further pages
    credentials={
        "client_id": forms.CharField(label=_("Client id")),
        "client_secret": forms.CharField(label=_("Client secret")),
        "refresh_token": forms.CharField(
            label=_("Refresh token"), help_text=_("From the authorization of the seller account.")
        ),
        "push_secret": forms.CharField(
            label=_("Secret of pushed messages"),
            required=False,
            help_text=_("For a bridge that hands ORDER_CHANGE messages on, in the header X-Push-Secret."),
        ),
        "queue_key": forms.CharField(
            label=_("Access key of the queue"),
            required=False,
            help_text=_(
                "Of an AWS user that may receive and delete messages of the queue, and nothing else."
            ),
        ),
        "queue_secret": forms.CharField(label=_("Secret of the queue"), required=False),
    },
    settings={
        "region": forms.ChoiceField(
            label=_("Region"),
            choices=[("eu", _("Europe")), ("na", _("North America")), ("fe", _("Far East"))],
            initial="eu",
        ),
        "marketplaces": ListField(
            label=_("Marketplaces"), help_text=_("Ids, e.g. A1PA6795UKMFR9 for Germany.")
        ),
        "queue_url": forms.CharField(
            label=_("Address of the queue"),
            required=False,
            help_text=_(
                "SQS queue that Amazon writes ORDER_CHANGE messages to, e.g. https://sqs.eu-west-1.amazonaws.com/123456789012/orders. Empty: orders are polled."
            ),
        ),
        "base_url": forms.CharField(
            label=_("Address of the API"), required=False, help_text=_("Empty: that of the region.")
        ),
        "auth_url": forms.CharField(
            label=_("Address of the sign-in"), initial="https://api.amazon.com/auth/o2/token"
        ),
        "cancel_path": forms.CharField(
            label=_("Path of cancellations"),
            initial="/orders/2026-01-01/orders/{orderId}/cancellation",
            required=False,
            help_text=_("Empty: cancellations are not reported."),
        ),
        "cancel_reason": forms.ChoiceField(
            label=_("Reason of cancellations"),
            choices=[
                ("NO_INVENTORY", _("Not in stock")),
                ("BUYER_CANCELLED", _("Cancelled by the customer")),
                ("SHIPPING_ADDRESS_UNDELIVERABLE", _("Address cannot be delivered to")),
                ("CUSTOMER_EXCHANGE", _("Exchange")),
                ("PRICING_ERROR", _("Wrong price")),
            ],
            initial="NO_INVENTORY",
        ),
    },
)
