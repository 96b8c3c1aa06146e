from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..ids import uuid7
from .facility import Facility


class Document(models.Model):
    """An immutable file: what was printed once is printed again, byte by byte. Stored under its SHA-256."""

    class Category(models.TextChoices):
        DELIVERYNOTE = "DELIVERYNOTE", _("Delivery note")
        RETURNNOTE = "RETURNNOTE", _("Return slip")
        SENDLABEL = "SENDLABEL", _("Shipping label")
        RETURNLABEL = "RETURNLABEL", _("Return label")
        EXTERNAL = "EXTERNAL", _("Other document")
        CUSTOMS = "CUSTOMS", _("Customs papers")
        PHOTO = "PHOTO", _("Photo")

    class Format(models.TextChoices):
        PDF = "PDF", "PDF"
        ZPL = "ZPL", "ZPL"
        JPEG = "JPEG", "JPEG"

    PAPERS = [Format.PDF, Format.ZPL]  # what a printer takes

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="documents")
    order_id = models.UUIDField(_("order"), null=True, db_index=True)
    category = models.CharField(_("category"), max_length=12, choices=Category.choices)
    format = models.CharField(_("format"), max_length=4, choices=Format.choices)
    name = models.CharField(_("name"), max_length=100)
    sha256 = models.CharField(max_length=64, db_index=True)
    size = models.PositiveIntegerField()
    template = models.CharField(_("template"), max_length=60, blank=True)
    snapshot = models.JSONField(_("data"), default=dict, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    category__in=[
                        "DELIVERYNOTE",
                        "RETURNNOTE",
                        "SENDLABEL",
                        "RETURNLABEL",
                        "EXTERNAL",
                        "CUSTOMS",
                        "PHOTO",
                    ]
                ),
                name="document_category",
            ),
            models.CheckConstraint(condition=Q(format__in=["PDF", "ZPL", "JPEG"]), name="document_format"),
        ]
        verbose_name = _("document")
        verbose_name_plural = _("documents")

    def __str__(self):
        return self.name
