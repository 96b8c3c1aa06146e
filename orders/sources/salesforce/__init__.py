"""Salesforce: B2C Commerce by its export queue, or Order Management by change time."""

from django import forms
from django.utils.translation import gettext_lazy as _

from orders.sources.fields import ListField
from orders.sources.kind import Kind

from . import client, inbound, mapping, report

KIND = Kind(
    key="salesforce",
    label="Salesforce",
    client=client,
    mapping=mapping,
    inbound=inbound,
    report=report,
    credentials={
        "client_id": forms.CharField(label=_("Client id")),
        "client_secret": forms.CharField(label=_("Client secret")),
    },
    settings={
        "variant": forms.ChoiceField(
            label=_("Product"),
            choices=[("b2c", "B2C Commerce"), ("management", "Order Management")],
            initial="b2c",
        ),
        "base_url": forms.CharField(
            label=_("Address of the API"),
            help_text=_("https://SHORTCODE.api.commercecloud.salesforce.com, or the own domain of the org."),
        ),
        "auth_url": forms.CharField(
            label=_("Address of the sign-in"),
            required=False,
            help_text=_("Empty: that of Salesforce, for Order Management /services/oauth2/token of the org."),
        ),
        "organization": forms.CharField(
            label=_("Organization"), required=False, help_text=_("B2C Commerce, e.g. f_ecom_abcd_prd.")
        ),
        "tenant": forms.CharField(
            label=_("Tenant"), required=False, help_text=_("B2C Commerce, e.g. abcd_prd.")
        ),
        "site_id": forms.CharField(
            label=_("Site"),
            required=False,
            help_text=_("B2C Commerce: one connection per site, as order numbers are unique only there."),
        ),
        "takes_not_exported": forms.BooleanField(
            label=_("Also import confirmed orders that are not set ready for export"), required=False
        ),
        "picks_bundle_parts": forms.BooleanField(
            label=_("Pick the parts of a bundle instead of the bundle"), required=False, initial=True
        ),
        "tracking_page": forms.CharField(
            label=_("Tracking page of other parcels"),
            required=False,
            help_text=_(
                "For parcels whose carrier names no page, with {number} in it. Empty: B2C Commerce does not take them."
            ),
        ),
        "number_attribute": forms.CharField(
            label=_("Attribute for tracking numbers"),
            required=False,
            help_text=_("Of the order, e.g. c_trackingNumber; for shops that take no status events."),
        ),
        "carrier_attribute": forms.CharField(label=_("Attribute for the carrier"), required=False),
        "return_attribute": forms.CharField(label=_("Attribute for return numbers"), required=False),
        "api_version": forms.CharField(label=_("Version of the API"), initial="62.0", required=False),
        "open_statuses": ListField(
            label=_("Import fulfillment orders in the status"), initial=["Allocated"], required=False
        ),
        "shipped_status": forms.CharField(
            label=_("Status of shipped fulfillment orders"), initial="Fulfilled", required=False
        ),
        "currency": forms.CharField(
            label=_("Currency"), initial="EUR", required=False, help_text=_("Of orders that name none.")
        ),
    },
)
