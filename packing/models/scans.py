from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.core.models import Facility
from picking.models import PickRun

from .jobs import PackJob


class PackScan(models.Model):
    """One action at a pack station with its stored answer: the client's id makes it happen exactly once."""

    class Kind(models.TextChoices):
        SCAN = "scan", _("Scan")
        PUT = "put", _("Put in")
        TAKE_OUT = "take_out", _("Take out")
        MOVE = "move", _("Move")
        GO_ON = "go_on", _("Goes on in another package")
        STAY = "stay", _("Does not go on")
        UNDO = "undo", _("Undo")
        SORT = "sort", _("Sort a batch")

    id = models.UUIDField(primary_key=True)
    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey("core.User", on_delete=models.PROTECT, related_name="+")
    job = models.ForeignKey(PackJob, on_delete=models.CASCADE, null=True, related_name="scans")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    digest = models.CharField(max_length=64)
    code = models.CharField(max_length=200, blank=True)
    # The batch that was sorted, for actions of that page.
    run = models.ForeignKey(PickRun, on_delete=models.CASCADE, null=True, related_name="+")
    # What this action moved, so that undo can move it back: [[pack line id, package id, units]], units < 0: taken out.
    # Of units that go on elsewhere, or do so no more, with the id of the other package.
    moved = models.JSONField(default=list, encoder=DjangoJSONEncoder)
    undoes = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="undone_by")
    status_code = models.PositiveSmallIntegerField(default=200)
    answer = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    scanned_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["received_at", "pk"]
        indexes = [models.Index(fields=["job", "received_at"], name="pack_scan_job")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["scan", "put", "take_out", "move", "go_on", "stay", "undo", "sort"]),
                name="pack_scan_kind",
            )
        ]

    def __str__(self):
        return f"{self.kind} {self.code}"
