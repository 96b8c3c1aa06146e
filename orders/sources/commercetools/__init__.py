"""commercetools: a poll by change time, made faster by messages that Google Pub/Sub pushes."""

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.sources.fields import ListField
from orders.sources.kind import Kind

from . import client, inbound, mapping, report

KIND = Kind(
    key="commercetools",
    label="commercetools",
    client=client,
    mapping=mapping,
    inbound=inbound,
    report=report,
    hears_of_deliveries=True,
    credentials={
        "client_id": forms.CharField(label=_("Client id")),
        "client_secret": forms.CharField(label=_("Client secret")),
        "push_secret": forms.CharField(
            label=_("Secret of pushed messages"),
            required=False,
            help_text=_("For bridges that send it in the header X-Push-Secret instead of a signed token."),
        ),
    },
    settings={
        "region": forms.CharField(label=_("Region"), initial="europe-west1.gcp"),
        "project": forms.CharField(label=_("Project key")),
        "base_url": forms.CharField(
            label=_("Address of the API"), required=False, help_text=_("Empty: that of the region.")
        ),
        "auth_url": forms.CharField(
            label=_("Address of the sign-in"), required=False, help_text=_("Empty: that of the region.")
        ),
        "scopes": ListField(
            label=_("Scopes"),
            initial=["manage_orders"],
            help_text=_("Stock figures need manage_products as well."),
        ),
        "order_states": ListField(label=_("Import in these order states"), initial=["Confirmed"]),
        "push_audience": forms.CharField(
            label=_("Audience of pushed messages"),
            required=False,
            help_text=_("As set in the Pub/Sub push subscription, usually the address for webhooks."),
        ),
        "push_account": forms.CharField(
            label=_("Service account of pushed messages"),
            required=False,
            help_text=_("E-mail address of the account that signs them."),
        ),
        "completes_orders": forms.BooleanField(
            label=_("Set orders to Complete when everything is shipped"), required=False, initial=True
        ),
        "stock_channel": forms.CharField(
            label=_("Channel for stock figures"),
            required=False,
            help_text=_("Id of the supply channel; empty: none."),
        ),
    },
)
