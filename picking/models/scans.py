from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.core.models import Facility

from .jobs import PickJob, PickLine
from .runs import PickRun


class ScanEvent(models.Model):
    """One action of a scan screen with its stored answer: the client's id makes it happen exactly once.

    What a program books through the API stands here too, without an answer, and no screen undoes it.
    """

    class Kind(models.TextChoices):
        SCAN = "scan", _("Scan")
        QUANTITY = "quantity", _("Quantity")
        SHORT = "short", _("Short pick")
        SUBSTITUTE = "substitute", _("Substitute")
        ATTRIBUTE = "attribute", _("Value")
        UNDO = "undo", _("Undo")
        PAUSE = "pause", _("Pause")
        CLOSE = "close", _("Close")
        PROGRAM = "program", _("Through the API")

    id = models.UUIDField(primary_key=True)
    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(
        "core.User", on_delete=models.PROTECT, null=True, related_name="+"
    )  # None: a token
    job = models.ForeignKey(PickJob, on_delete=models.CASCADE, null=True, related_name="scans")
    line = models.ForeignKey(PickLine, on_delete=models.CASCADE, null=True, related_name="scans")
    run = models.ForeignKey(PickRun, on_delete=models.CASCADE, null=True, related_name="scans")
    # An action in a batch may be for lines of several orders: the others stand in events of their own.
    part_of = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="parts")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    digest = models.CharField(max_length=64)
    code = models.CharField(max_length=200, blank=True)
    # What this action changed on its line, so that undo can write the counter-event.
    picked_delta = models.IntegerField(default=0)
    short_delta = models.IntegerField(default=0)
    moved = models.PositiveIntegerField(
        default=0
    )  # units that left a line for its substitute, which is ``line``
    # What was recorded of the units, see ``Article.records_lot`` and its neighbours.
    lot = models.CharField(_("lot"), max_length=20, blank=True)
    serial = models.CharField(_("serial number"), max_length=20, blank=True)
    expires_on = models.DateField(_("expires on"), null=True)
    weight_g = models.PositiveIntegerField(_("weight (g)"), null=True)
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    status_code = models.PositiveSmallIntegerField(default=200)
    answer = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    scanned_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["received_at", "pk"]
        indexes = [
            models.Index(fields=["job", "received_at"], name="scan_event_job"),
            models.Index(fields=["run", "received_at"], name="scan_event_run"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        *("scan", "quantity", "short", "substitute", "attribute"),
                        *("undo", "pause", "close", "program"),
                    ]
                ),
                name="scan_event_kind",
            ),
            models.CheckConstraint(
                condition=Q(user__isnull=False) | Q(kind="program"), name="scan_event_user"
            ),
        ]

    def __str__(self):
        return f"{self.kind} {self.code}"
