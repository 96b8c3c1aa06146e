from django.db import models
from django.utils import timezone

from fulfillment.core.models import Document

from .jobs import PickLine


class LinePhoto(models.Model):
    """What a picker saw when units were missing. The client's id keeps it once, however often it is sent."""

    id = models.UUIDField(primary_key=True)
    line = models.ForeignKey(PickLine, on_delete=models.CASCADE, related_name="photos")
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey("core.User", on_delete=models.SET_NULL, null=True, related_name="+")
    taken_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["taken_at", "pk"]

    def __str__(self):
        return str(self.line)
