from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from fulfillment.core.models import Facility
from fulfillment.core.models.base import Entity, LockingQuerySet

from ..boxes import Box


class BoxTypeQuerySet(LockingQuerySet):
    def usable_at(self, facility_id):
        """What a facility may pack into: its own boxes and those of the network, the smallest first."""
        return (
            self.filter(Q(facility=None) | Q(facility=facility_id), is_active=True)
            .annotate(volume=F("length_mm") * F("width_mm") * F("height_mm"))
            .order_by("volume", "name", "pk")
        )


class BoxType(Entity):
    """A kind of box that a facility has at its pack stations; without a facility all of them have it."""

    facility = models.ForeignKey(
        Facility,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="box_types",
        verbose_name=_("facility"),
        help_text=_("None: every facility has it."),
    )
    name = models.CharField(_("name"), max_length=40)
    length_mm = models.PositiveIntegerField(_("inner length (mm)"))
    width_mm = models.PositiveIntegerField(_("inner width (mm)"))
    height_mm = models.PositiveIntegerField(_("inner height (mm)"))
    wall_mm = models.PositiveSmallIntegerField(
        _("wall (mm)"), default=3, help_text=_("A carrier hears of the outer size.")
    )
    tare_g = models.PositiveIntegerField(
        _("weight when empty (g)"), default=0, help_text=_("With its usual filling.")
    )
    most_g = models.PositiveIntegerField(_("weight limit (g)"), default=31_500)
    is_active = models.BooleanField(_("in use"), default=True)

    objects = BoxTypeQuerySet.as_manager()

    class Meta(Entity.Meta):
        ordering = ["name"]
        verbose_name = _("box")
        verbose_name_plural = _("boxes")
        constraints = [
            models.UniqueConstraint(
                fields=["facility", "name"],
                name="box_type_name_once",
                violation_error_message=_("There is a box of this name already."),
            ),
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(facility=None),
                name="box_type_network_name_once",
                violation_error_message=_("There is a box of this name already."),
            ),
            models.CheckConstraint(
                condition=Q(length_mm__gte=1, width_mm__gte=1, height_mm__gte=1),
                name="box_type_size",
                violation_error_message=_("A box has a length, a width and a height."),
            ),
            models.CheckConstraint(
                condition=Q(most_g__gt=F("tare_g")),
                name="box_type_limit",
                violation_error_message=_("The limit is more than the empty box weighs."),
            ),
        ]

    def __str__(self):
        return self.name

    @property
    def inner_mm(self):
        return (self.length_mm, self.width_mm, self.height_mm)

    @property
    def outer_mm(self):
        return tuple(side + 2 * self.wall_mm for side in self.inner_mm)

    def as_box(self):
        """The box as ``packing.boxes`` reckons with it; the limit includes the box itself."""
        return Box(key=self.pk, sides=self.inner_mm, most_g=self.most_g - self.tare_g)
