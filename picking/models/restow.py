from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from fulfillment.core.models import Article, Facility, Listing, StorageLocation
from fulfillment.core.models.base import LockingQuerySet, Stateful
from orders.models import Order

from .jobs import PickJob


class RestowItemQuerySet(LockingQuerySet):
    def at(self, facility):
        return self.filter(facility=facility)

    def open(self):
        return self.filter(status=RestowItem.Status.OPEN)

    def for_list(self):
        """In the order of the walk, with what the page shows."""
        return self.select_related("article", "location", "order").order_by(
            F("location__running_sequence").asc(nulls_last=True), "pk"
        )


class RestowItem(Stateful):
    """Units that are out of the stock and go back on a shelf: somebody has to carry them there."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("To put back")
        CLOSED = "CLOSED", _("Put back")
        CANCELED = "CANCELED", _("Not put back")

    class Reason(models.TextChoices):
        ABORTED = "ABORTED", _("The pick job was given up.")
        REROUTED = "REROUTED", _("The order is placed elsewhere.")
        CANCELLED = "CANCELLED", _("The order was cancelled.")
        REFUSED = "REFUSED", _("The customer did not take it.")
        NOT_COLLECTED = "NOT_COLLECTED", _("The customer did not come.")
        RETURNED = "RETURNED", _("The customer returned it.")

    status = FSMField(_("status"), choices=Status.choices, default=Status.OPEN, protected=True)
    facility = models.ForeignKey(Facility, on_delete=models.PROTECT, related_name="restow_items")
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="restow_items")
    # None for what a customer returned: it may come back to a facility that never picked it.
    job = models.ForeignKey(PickJob, on_delete=models.PROTECT, null=True, related_name="restow_items")
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="+")
    listing = models.ForeignKey(Listing, on_delete=models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField(_("units"))
    reason = models.CharField(_("reason"), max_length=20, choices=Reason.choices)
    is_defective = models.BooleanField(_("defective"), default=False)
    # Where they lay; once put back, where they lie.
    location = models.ForeignKey(
        StorageLocation, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("place")
    )
    expires_on = models.DateField(_("expires on"), null=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    closed_at = models.DateTimeField(_("put back at"), null=True)
    editor = models.ForeignKey(
        "core.User", on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("put back by")
    )

    objects = RestowItemQuerySet.as_manager()

    class Meta(Stateful.Meta):
        verbose_name = _("restow item")
        verbose_name_plural = _("restow items")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["OPEN", "CLOSED", "CANCELED"]), name="restow_status"
            ),
            models.CheckConstraint(
                condition=Q(
                    reason__in=["ABORTED", "REROUTED", "CANCELLED", "REFUSED", "NOT_COLLECTED", "RETURNED"]
                ),
                name="restow_reason",
            ),
            models.CheckConstraint(
                condition=Q(reason="RETURNED", job=None) | ~Q(reason="RETURNED") & Q(job__isnull=False),
                name="restow_job",
            ),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="restow_quantity"),
        ]
        indexes = [models.Index(fields=["facility", "status"], name="restow_list")]

    def __str__(self):
        return f"{self.quantity} × {self.article.local_title}"

    @transition(field=status, source=Status.OPEN, target=Status.CLOSED)
    def put_back(self, location, by, now):
        self.location, self.editor, self.closed_at = location, by, now

    @transition(field=status, source=Status.OPEN, target=Status.CANCELED)
    def write_off(self, note, by, now):
        """They do not go back: broken, lost."""
        self.note, self.editor, self.closed_at = note, by, now
