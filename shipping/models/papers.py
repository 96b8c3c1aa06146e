from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fulfillment.core.ids import uuid7
from fulfillment.core.models import Channel, Document

from .parcels import Parcel
from .pickups import Pickup
from .shipments import Shipment


class Kind(models.TextChoices):
    """What a facility prints beside the labels."""

    DELIVERY_NOTE = "DELIVERY_NOTE", _("Delivery note")
    PACKING_SLIP = "PACKING_SLIP", _("Packing slip")
    RETURN_SLIP = "RETURN_SLIP", _("Return slip")
    CUSTOMS_DECLARATION = "CUSTOMS_DECLARATION", _("Customs declaration")
    INVOICE = "INVOICE", _("Commercial invoice")
    PICKUP_SLIP = "PICKUP_SLIP", _("Pick-up slip")


# What a channel may choose; customs papers are made whenever goods cross a border.
CHOSEN = [Kind.DELIVERY_NOTE, Kind.PACKING_SLIP, Kind.RETURN_SLIP]
# The same for goods that the customer collects.
CHOSEN_TO_COLLECT = [Kind.PICKUP_SLIP, Kind.DELIVERY_NOTE]


def default_kinds():
    return list(CHOSEN)


def default_kinds_to_collect():
    return [Kind.PICKUP_SLIP.value]


def validate_kinds(value):
    _validate_choice(value, CHOSEN)


def validate_kinds_to_collect(value):
    _validate_choice(value, CHOSEN_TO_COLLECT)


def _validate_choice(value, allowed):
    if not isinstance(value, list) or not set(value) <= set(allowed):
        raise ValidationError(_("Papers are a list of %(allowed)s."), params={"allowed": ", ".join(allowed)})


def default_sdr_values():
    # Roughly; a person in charge enters the current ones. Too low a value only leads to the larger form.
    return {"EUR": "1.15", "USD": "1.30", "GBP": "1.00", "CHF": "1.05"}


def validate_sdr_values(value):
    is_table = isinstance(value, dict) and all(
        isinstance(currency, str) and len(currency) == 3 for currency in value
    )
    try:
        if not is_table or any(float(rate) <= 0 for rate in value.values()):
            raise ValueError
    except (TypeError, ValueError) as error:
        raise ValidationError(_('Values are given per currency, like {"EUR": "1.15"}.')) from error


class PaperSettings(models.Model):
    """How the papers of a sales channel look, and which there are. Those without a channel are for all others."""

    channel = models.OneToOneField(
        Channel,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="paper_settings",
        verbose_name=_("sales channel"),
        help_text=_("None: for every channel without settings of its own."),
    )
    kinds = models.JSONField(_("papers"), default=default_kinds, blank=True, validators=[validate_kinds])
    kinds_to_collect = models.JSONField(
        _("papers of what is collected"),
        default=default_kinds_to_collect,
        blank=True,
        validators=[validate_kinds_to_collect],
    )
    shows_prices = models.BooleanField(_("prices on the delivery note"), default=False)
    # A PNG that was drawn anew from what was uploaded, stored by its hash.
    logo_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    returns_page = models.URLField(
        _("page to announce returns"),
        max_length=80,
        blank=True,
        help_text=_(
            "Like https://fulfillment.example/returns/: the QR code of the return slip opens it there. None: it holds the code alone."
        ),
    )
    seller = models.TextField(
        _("seller"), blank=True, help_text=_("Name and address, a line each; none: that of the facility.")
    )
    vat_number = models.CharField(_("VAT number"), max_length=20, blank=True)
    eori_number = models.CharField(_("EORI number"), max_length=20, blank=True)
    signer = models.CharField(_("signs for customs"), max_length=100, blank=True)
    incoterm = models.CharField(
        _("delivery term"),
        max_length=3,
        default="DAP",
        validators=[RegexValidator(r"^[A-Z]{3}$", _("Enter an Incoterm like DAP."))],
    )
    export_reason = models.CharField(_("reason for export"), max_length=60, default="Sale of goods")
    sdr_values = models.JSONField(
        _("value of one SDR"),
        default=default_sdr_values,
        validators=[validate_sdr_values],
        help_text=_("Per currency. Up to 300 SDR and 2 kg a parcel needs a CN22 only, else a CN23."),
    )

    class Meta:
        verbose_name = _("paper settings")
        verbose_name_plural = _("paper settings")
        constraints = [
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(channel=None),
                name="paper_settings_for_all_once",
                violation_error_message=_("There are settings for all channels already."),
            )
        ]

    def __str__(self):
        return str(self.channel or _("All channels"))


class PaperText(models.Model):
    """Words of a channel on its papers, in one language."""

    settings = models.ForeignKey(PaperSettings, on_delete=models.CASCADE, related_name="texts")
    language = models.CharField(
        _("language"), max_length=5, validators=[RegexValidator(r"^[a-z]{2}$", _("Enter a code like de."))]
    )
    greeting = models.TextField(_("on the delivery note"), blank=True, max_length=2000)
    return_text = models.TextField(_("on the return slip"), blank=True, max_length=2000)
    return_reasons = models.TextField(
        _("reasons of a return"), blank=True, max_length=1000, help_text=_("One per line.")
    )
    footer = models.TextField(_("at the foot"), blank=True, max_length=1000)

    class Meta:
        ordering = ["language"]
        verbose_name = _("text")
        verbose_name_plural = _("texts")
        constraints = [
            models.UniqueConstraint(
                fields=["settings", "language"],
                name="paper_text_once",
                violation_error_message=_("There are texts in this language already."),
            )
        ]

    def __str__(self):
        return self.language


class PaperRule(models.Model):
    """Other papers for orders with a tag."""

    settings = models.ForeignKey(PaperSettings, on_delete=models.CASCADE, related_name="rules")
    tag = models.CharField(_("tag"), max_length=255)
    value = models.CharField(_("value"), max_length=255, blank=True, help_text=_("None: any value."))
    kinds = models.JSONField(_("papers"), default=default_kinds, blank=True, validators=[validate_kinds])

    class Meta:
        ordering = ["pk"]
        verbose_name = _("papers by tag")
        verbose_name_plural = _("papers by tag")

    def __str__(self):
        return f"{self.tag}={self.value or '*'}"

    def fits(self, tags):
        """Whether one of an order's tags is meant."""
        return any(tag.get("id") == self.tag and self.value in ("", tag.get("value")) for tag in tags)


class PaperQuerySet(models.QuerySet):
    def current(self):
        """Without those that name a label that was cancelled."""
        return self.filter(replaced_at=None)


class Paper(models.Model):
    """A document of a shipment or of one of its parcels, or of goods to collect. Made once; printed as often as wanted.

    When a label is cancelled its shipment gets new papers with the next one; the earlier ones are kept as they were.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    shipment = models.ForeignKey(Shipment, on_delete=models.CASCADE, null=True, related_name="papers")
    pickup = models.ForeignKey(Pickup, on_delete=models.CASCADE, null=True, related_name="papers")
    parcel = models.ForeignKey(Parcel, on_delete=models.CASCADE, null=True, related_name="papers")
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveSmallIntegerField(_("printed as"), default=0)
    replaced_at = models.DateTimeField(_("no longer right since"), null=True, editable=False)

    objects = PaperQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        verbose_name = _("paper")
        verbose_name_plural = _("papers")
        constraints = [
            models.UniqueConstraint(
                fields=["shipment", "kind"],
                condition=Q(parcel=None, replaced_at=None),
                name="paper_of_shipment_once",
            ),
            models.UniqueConstraint(
                fields=["parcel", "kind"],
                condition=Q(parcel__isnull=False, replaced_at=None),
                name="paper_of_parcel_once",
            ),
            models.UniqueConstraint(
                fields=["pickup", "kind"], condition=Q(replaced_at=None), name="paper_of_pickup_once"
            ),
            models.CheckConstraint(
                condition=Q(shipment__isnull=False, pickup=None) | Q(shipment=None, pickup__isnull=False),
                name="paper_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "DELIVERY_NOTE",
                        "PACKING_SLIP",
                        "RETURN_SLIP",
                        "CUSTOMS_DECLARATION",
                        "INVOICE",
                        "PICKUP_SLIP",
                    ]
                ),
                name="paper_kind",
            ),
        ]

    def __str__(self):
        return self.get_kind_display()
