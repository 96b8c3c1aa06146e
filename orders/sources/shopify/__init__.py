"""Shopify: signed webhooks, and a poll over GraphQL."""

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.sources.fields import ListField
from orders.sources.kind import Kind

from . import client, inbound, mapping, report

KIND = Kind(
    key="shopify",
    label="Shopify",
    client=client,
    mapping=mapping,
    inbound=inbound,
    report=report,
    hears_of_return_labels=True,
    credentials={
        "client_id": forms.CharField(label=_("Client id"), required=False),
        "client_secret": forms.CharField(
            label=_("Client secret"), help_text=_("Webhooks are signed with it; it is also the app's login.")
        ),
        "previous_secret": forms.CharField(
            label=_("Previous client secret"),
            required=False,
            help_text=_("During a rotation webhooks may still be signed with it."),
        ),
        "access_token": forms.CharField(
            label=_("Access token"), required=False, help_text=_("Only for apps that have a stored token.")
        ),
        "refresh_token": forms.CharField(label=_("Refresh token"), required=False),
    },
    settings={
        "shop": forms.CharField(label=_("Shop domain"), help_text=_("For example my-shop.myshopify.com.")),
        "base_url": forms.CharField(
            label=_("Address of the API"), required=False, help_text=_("Empty: https:// and the shop domain.")
        ),
        "api_version": forms.CharField(label=_("API version"), initial="2026-07"),
        "financial_statuses": ListField(
            label=_("Import when paid like this"), initial=["paid", "partially_refunded"]
        ),
        "imports_test_orders": forms.BooleanField(
            label=_("Import test orders"), required=False, initial=False
        ),
        "locations": ListField(
            label=_("Locations that are ours"),
            required=False,
            help_text=_("Ids; empty: every location that this app may fulfil for."),
        ),
        "stock_location": forms.CharField(
            label=_("Location for stock figures"), required=False, help_text=_("Id of the location.")
        ),
        "reports_return_labels": forms.BooleanField(
            label=_("Tell the number of the return label"),
            required=False,
            initial=True,
            help_text=_(
                "When the shop opens a return of goods whose parcel had a return label. The app needs the scope write_returns."
            ),
        ),
        "notifies_customer": forms.BooleanField(
            label=_("Shopify sends the shipping mail"), required=False, initial=True
        ),
        "cancels_orders": forms.BooleanField(
            label=_("Cancel in the shop what is cancelled here"),
            required=False,
            initial=False,
            help_text=_("This cannot be undone there, and gives the customer the money back."),
        ),
    },
)
