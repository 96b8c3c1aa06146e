"""OTTO Market: a poll by change time; units are counted one by one, and each is shipped once."""

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.sources.fields import TableField
from orders.sources.kind import Kind

from . import client, inbound, mapping, report

KIND = Kind(
    key="otto",
    label="OTTO Market",
    client=client,
    mapping=mapping,
    inbound=inbound,
    report=report,
    poll_seconds=120,  # units may be cancelled until they are sent
    is_asked_before_label=True,
    hears_of_returns=True,
    credentials={
        "client_id": forms.CharField(label=_("Client id")),
        "client_secret": forms.CharField(label=_("Client secret")),
    },
    settings={
        "base_url": forms.CharField(
            label=_("Address of the API"),
            initial="https://api.otto.market",
            help_text=_("The sandbox is https://sandbox.api.otto.market."),
        ),
        "auth_url": forms.CharField(
            label=_("Address of the sign-in"),
            required=False,
            help_text=_("Empty: /v1/token at the address of the API."),
        ),
        "announced": forms.ChoiceField(
            label=_("Orders that are not paid yet"),
            choices=[("ignore", _("Wait until they can be shipped")), ("reserve", _("Reserve their goods"))],
            initial="ignore",
            help_text=_("They have no address, and are never shipped before OTTO Market releases them."),
        ),
        "default_carrier": forms.CharField(
            label=_("Code of other carriers"),
            required=False,
            help_text=_(
                "Of those that the table of carriers lacks and whose key is no code of OTTO Market. Empty: their parcels are not reported."
            ),
        ),
        "return_carrier": forms.CharField(
            label=_("Code of the carrier of returns"),
            required=False,
            help_text=_("As agreed in the partner portal; empty: the one that brings the parcel."),
        ),
        "reports_returns": forms.BooleanField(label=_("Report returns"), required=False, initial=True),
        "return_conditions": TableField(
            label=_("Conditions of returned goods"),
            required=False,
            help_text=_("One per line: key of our condition = its code at OTTO Market."),
        ),
        "return_reasons": TableField(
            label=_("Reasons of returns"),
            required=False,
            help_text=_(
                "One per line: key of our reason = its code at OTTO Market. Others are sent as they are."
            ),
        ),
    },
)
