import json
import secrets

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fulfillment.core.countries import validate_country
from fulfillment.core.encryption import decrypt, encrypt
from fulfillment.core.models import Document, FacilityCarrier
from fulfillment.core.models.base import Entity, LockingQuerySet

from ..carriers.base import Account, Product


def validate_products(value):
    """``[{"product": "V01PAK", "billing_number": "33333333330101", "countries": ["DE"]}]``."""
    names = {"product", "billing_number", "countries"}
    for entry in value if isinstance(value, list) else [None]:
        if not isinstance(entry, dict) or set(entry) - names or not isinstance(entry.get("product"), str):
            raise ValidationError(
                _("Products are a list of objects with product, billing_number, countries.")
            )
        if not isinstance(entry.get("billing_number", ""), str):
            raise ValidationError(_("The billing number of %(product)s is a text."), params=entry)
        _validate_countries(entry.get("countries", []))
    keys = [entry["product"] for entry in value]
    if len(set(keys)) < len(keys):
        raise ValidationError(_("Each product stands there once."))


def validate_areas(value):
    """``[{"country": "DE", "postal_code": "10"}]``: codes that begin so; an empty one means the whole country."""
    for entry in value if isinstance(value, list) else [None]:
        if not isinstance(entry, dict) or set(entry) - {"country", "postal_code"}:
            raise ValidationError(_("Delivery areas are a list of objects with country and postal_code."))
        if not isinstance(entry.get("postal_code", ""), str):
            raise ValidationError(_("A postal code is a text."))
        _validate_countries([entry.get("country")])


def _validate_countries(value):
    if not isinstance(value, list) or not all(isinstance(country, str) for country in value):
        raise ValidationError(_("Countries are a list of codes like NL or DE."))
    for country in value:
        validate_country(country)


class CarrierConnectionQuerySet(LockingQuerySet):
    def at(self, facility):
        return self.filter(link__facility=facility)

    def for_booking(self):
        return self.select_related("link__carrier", "link__facility")


class CarrierConnection(Entity):
    """How a facility books at a carrier: which program, on whose account, which products.

    Status, priority, countries and cut-offs stand in core's ``FacilityCarrier``, which routing reads too.
    """

    link = models.OneToOneField(
        FacilityCarrier,
        on_delete=models.CASCADE,
        related_name="connection",
        verbose_name=_("carrier of the facility"),
    )
    adapter = models.SlugField(_("adapter"), help_text=_("Which program books the label."))
    base_url = models.URLField(_("base URL"), max_length=300, blank=True)
    label_format = models.CharField(
        _("label format"),
        max_length=3,
        choices=[(one.value, one.label) for one in Document.PAPERS],
        default=Document.Format.PDF,
    )
    products = models.JSONField(
        _("products"),
        default=list,
        blank=True,
        validators=[validate_products],
        help_text=_(
            'The first that goes to the country is taken, for example [{"product": "V01PAK", "billing_number": '
            '"33333333330101", "countries": ["DE"]}]; without countries it goes everywhere. RETURN names the account '
            "of return labels."
        ),
    )
    delivery_areas = models.JSONField(
        _("delivery areas"),
        default=list,
        blank=True,
        validators=[validate_areas],
        help_text=_(
            'Beginnings of postal codes, for example [{"country": "DE", "postal_code": "10"}]; none: everywhere.'
        ),
    )
    # The last day whose bookings were compared with the carrier's list, and what it booked that nobody here knows:
    # [{"number", "reference", "day"}], see ``shipping.comparing``.
    compared_on = models.DateField(_("compared up to"), null=True, editable=False)
    strays = models.JSONField(_("bookings nobody knows"), default=list, blank=True, editable=False)
    strays_left_out = models.PositiveIntegerField(
        _("bookings nobody knows, not shown"), default=0, editable=False
    )
    encrypted_credentials = models.TextField(editable=False, blank=True)
    encrypted_webhook_secret = models.TextField(editable=False, blank=True)

    objects = CarrierConnectionQuerySet.as_manager()

    class Meta(Entity.Meta):
        verbose_name = _("carrier connection")
        verbose_name_plural = _("carrier connections")
        constraints = [
            models.CheckConstraint(
                condition=Q(label_format__in=["PDF", "ZPL"]), name="connection_label_format"
            )
        ]

    def __str__(self):
        return str(self.link)

    @property
    def credentials(self):
        """What the account needs, by its name. Raises UnreadableSecret."""
        return json.loads(decrypt(self.encrypted_credentials)) if self.encrypted_credentials else {}

    @credentials.setter
    def credentials(self, values):
        kept = {name: value for name, value in values.items() if value}
        self.encrypted_credentials = encrypt(json.dumps(kept)) if kept else ""

    @property
    def webhook_secret(self):
        """What the carrier signs its messages with. Raises UnreadableSecret."""
        return decrypt(self.encrypted_webhook_secret) if self.encrypted_webhook_secret else ""

    def renew_webhook_secret(self):
        """A new secret, returned to be shown once."""
        secret = secrets.token_urlsafe(32)
        self.encrypted_webhook_secret = encrypt(secret)
        return secret

    @property
    def account(self):
        """What the adapter gets to know. Raises UnreadableSecret."""
        return Account(
            base_url=self.base_url,
            credentials=self.credentials,
            label_format=self.label_format,
            products=tuple(
                Product(entry["product"], entry.get("billing_number", ""), tuple(entry.get("countries", ())))
                for entry in self.products
            ),
            webhook_secret=self.webhook_secret,
        )

    def product_for(self, country, wanted=""):
        """The name of the product for a destination: the wanted one if it goes there, else the first that does.

        Empty when the carrier has no products to choose from, None when none of them goes there.
        """
        fitting = [
            entry["product"]
            for entry in self.products
            if entry["product"] != "RETURN" and (not entry.get("countries") or country in entry["countries"])
        ]
        if not any(entry["product"] != "RETURN" for entry in self.products):
            return ""
        return wanted if wanted in fitting else next(iter(fitting), None)

    def delivers_to(self, country, postal_code):
        """Whether an address is in the delivery areas and one of the products goes there."""
        plain = postal_code.replace(" ", "").upper()
        is_inside = not self.delivery_areas or any(
            area["country"] == country
            and plain.startswith(area.get("postal_code", "").replace(" ", "").upper())
            for area in self.delivery_areas
        )
        return is_inside and self.product_for(country) is not None
