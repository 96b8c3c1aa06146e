import zoneinfo

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..countries import validate_country
from ..target_time import ready_time, target_time
from .base import Entity, LockingQuerySet, Stateful

WEEKDAYS = [
    "MONDAY",
    "TUESDAY",
    "WEDNESDAY",
    "THURSDAY",
    "FRIDAY",
    "SATURDAY",
    "SUNDAY",
]
clock = RegexValidator(r"^([01]\d|2[0-3]):[0-5]\d$", _("Enter a time as HH:MM."))


def validate_time_zone(value):
    if value not in zoneinfo.available_timezones():
        raise ValidationError(
            _("%(value)s is not a time zone; use a name like Europe/Amsterdam."),
            params={"value": value},
        )


def validate_services(value):
    if not isinstance(value, list) or any(service not in Facility.Service.values for service in value):
        raise ValidationError(
            _("Services are a list of %(allowed)s."),
            params={"allowed": ", ".join(Facility.Service.values)},
        )


class ScanRule(models.TextChoices):
    """What must be scanned of a line: nothing, the first time, or for each unit."""

    NOT_REQUIRED = "SCAN_NOT_REQUIRED", _("Not required")
    FIRST = "MUST_SCAN_FIRST", _("Once per line")
    EACH = "MUST_SCAN_EACH", _("For each unit")


class PickingMethod(models.TextChoices):
    """How orders are picked: one by one, several with a tote each, summed and sorted later, or by zones."""

    SINGLE_ORDER = "SINGLE_ORDER", _("One order at a time")
    MULTI_ORDER = "MULTI_ORDER", _("Several orders, a tote for each")
    BATCH = "BATCH", _("Several orders at once, sorted when packing")
    ZONE = "ZONE", _("Each picker in the own zones")


def validate_picking_methods(value):
    if not isinstance(value, list) or any(method not in PickingMethod.values for method in value):
        raise ValidationError(
            _("Picking methods are a list of %(allowed)s."),
            params={"allowed": ", ".join(PickingMethod.values)},
        )


class ShortReason(models.TextChoices):
    """Why units of a line are missing."""

    NOT_FOUND = "NOT_FOUND", _("Not found")
    DAMAGED = "DAMAGED", _("Damaged")
    EXPIRED = "EXPIRED", _("Expired")
    OTHER = "OTHER", _("Other reason")


def default_short_reasons():
    return list(ShortReason.values)


def validate_short_reasons(value):
    if not isinstance(value, list) or any(reason not in ShortReason.values for reason in value):
        raise ValidationError(
            _("Reasons are a list of %(allowed)s."), params={"allowed": ", ".join(ShortReason.values)}
        )


def validate_picking_times(value):
    """``{"MONDAY": [{"start": "09:00", "end": "17:00", "capacity": 20}]}``; the spans of a day do not overlap."""
    if not isinstance(value, dict) or set(value) - set(WEEKDAYS):
        raise ValidationError(_("Picking times are given per weekday, MONDAY to SUNDAY."))
    for day, spans in value.items():
        if not isinstance(spans, list) or not all(isinstance(span, dict) for span in spans):
            raise ValidationError(
                _('The picking times of %(day)s are a list like [{"start": "09:00", "end": "17:00"}].'),
                params={"day": day},
            )
        end = ""
        for span in sorted(spans, key=lambda span: str(span.get("start", ""))):
            clock(span.get("start", ""))
            clock(span.get("end", ""))
            if span["start"] >= span["end"] or span["start"] < end:
                raise ValidationError(
                    _("The picking times of %(day)s overlap or end before they start."),
                    params={"day": day},
                )
            end = span["end"]


def default_picking_times():
    return {day: [{"start": "09:00", "end": "17:00"}] for day in WEEKDAYS[:6]}


def default_services():
    return [Facility.Service.SHIP_FROM_STORE, Facility.Service.PICKUP]


class FacilityQuerySet(LockingQuerySet):
    def online(self):
        return self.filter(status=Facility.Status.ONLINE)

    def visible_to(self, user):
        """Facilities where the user has any role."""
        if user.is_superuser:
            return self
        if user.memberships.filter(facility=None).exists():
            return self
        return self.filter(memberships__user=user).distinct()


class Facility(Stateful):
    """A store or warehouse that picks, packs and hands over."""

    URN = "urn:fft:facility:tenantFacilityId:"  # before its number: another way to name it

    class Status(models.TextChoices):
        ONLINE = "ONLINE", _("Online")
        SUSPENDED = "SUSPENDED", _("Suspended")
        OFFLINE = "OFFLINE", _("Offline")

    class Service(models.TextChoices):
        SHIP_FROM_STORE = "SHIP_FROM_STORE", _("Ship from store")
        PICKUP = "PICKUP", _("Pick up in store")

    class LocationType(models.TextChoices):
        STORE = "STORE", _("Store")
        WAREHOUSE = "WAREHOUSE", _("Warehouse")
        EXTERNAL = "EXTERNAL", _("External")

    status = FSMField(_("status"), choices=Status.choices, default=Status.ONLINE, protected=True)
    name = models.CharField(_("name"), max_length=100)
    tenant_facility_id = models.CharField(_("own number"), max_length=100, unique=True)
    slug = models.SlugField(_("short name in addresses"), unique=True, help_text=_("Never changed later."))
    location_type = models.CharField(
        _("type"),
        max_length=10,
        choices=LocationType.choices,
        default=LocationType.STORE,
    )
    services = models.JSONField(_("services"), default=default_services, validators=[validate_services])
    company_name = models.CharField(_("company"), max_length=100)
    street = models.CharField(_("street"), max_length=100)
    house_number = models.CharField(_("house number"), max_length=20, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=20)
    city = models.CharField(_("city"), max_length=100)
    country = models.CharField(_("country"), max_length=2, validators=[validate_country])
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    latitude = models.FloatField(
        _("latitude"),
        null=True,
        blank=True,
        validators=[MinValueValidator(-90), MaxValueValidator(90)],
    )
    longitude = models.FloatField(
        _("longitude"),
        null=True,
        blank=True,
        validators=[MinValueValidator(-180), MaxValueValidator(180)],
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=50,
        default="Europe/Berlin",
        validators=[validate_time_zone],
    )
    picking_times = models.JSONField(
        _("picking times"),
        default=default_picking_times,
        blank=True,
        validators=[validate_picking_times],
    )
    fulfillment_buffer = models.PositiveIntegerField(
        _("fulfillment buffer"),
        default=240,
        help_text=_("Minutes from order to ready."),
    )
    capacity_enabled = models.BooleanField(_("limit by capacity"), default=False)
    capacity_planning_days = models.PositiveSmallIntegerField(_("days of capacity planning"), default=3)
    picking_methods = models.JSONField(
        _("picking methods"),
        default=list,
        blank=True,
        validators=[validate_picking_methods],
        help_text=_("The first one is offered first; none: as everywhere."),
    )
    zero_stock_on_short_pick = models.BooleanField(_("short pick empties the location"), default=False)
    short_reasons = models.JSONField(
        _("reasons for missing units"),
        default=default_short_reasons,
        blank=True,
        validators=[validate_short_reasons],
        help_text=_("The picker chooses one of these. None ticked: nobody is asked."),
    )
    counts_on_short_pick = models.BooleanField(
        _("pickers count what is left"),
        default=False,
        help_text=_("With missing units a picker may say how many are left at the place; its stock follows."),
    )
    article_scan = models.CharField(
        _("scan of articles"), max_length=17, choices=ScanRule.choices, default=ScanRule.NOT_REQUIRED
    )
    location_scan = models.CharField(
        _("scan of locations"), max_length=17, choices=ScanRule.choices, default=ScanRule.NOT_REQUIRED
    )
    pack_scan = models.CharField(
        _("scan at the pack station"),
        max_length=17,
        choices=ScanRule.choices,
        default=ScanRule.NOT_REQUIRED,
        help_text=_("Labels are made only when everything is verified by this rule."),
    )
    weight_tolerance_percent = models.PositiveSmallIntegerField(
        _("weight tolerance (%)"),
        default=10,
        validators=[MaxValueValidator(100)],
        help_text=_(
            "How far a package may be off the weight of its articles and box before the packer is asked."
        ),
    )
    weight_tolerance_g = models.PositiveIntegerField(_("but at least (g)"), default=50)
    counts_unknown_codes = models.BooleanField(
        _("unknown codes count"),
        default=False,
        help_text=_(
            "A code that nothing here has counts as one unit of the current line, instead of being refused."
        ),
    )
    # What a program sent beside this (contact, further addresses ...), kept and shown as it came.
    extra = models.JSONField(default=dict, blank=True, editable=False)

    objects = FacilityQuerySet.as_manager()

    class Meta(Stateful.Meta):
        ordering = ["name"]
        verbose_name = _("facility")
        verbose_name_plural = _("facilities")
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["ONLINE", "SUSPENDED", "OFFLINE"]),
                name="facility_status",
            ),
            models.CheckConstraint(
                condition=Q(location_type__in=["STORE", "WAREHOUSE", "EXTERNAL"]),
                name="facility_location_type",
            ),
            models.CheckConstraint(
                condition=Q(article_scan__in=["SCAN_NOT_REQUIRED", "MUST_SCAN_FIRST", "MUST_SCAN_EACH"])
                & Q(location_scan__in=["SCAN_NOT_REQUIRED", "MUST_SCAN_FIRST", "MUST_SCAN_EACH"])
                & Q(pack_scan__in=["SCAN_NOT_REQUIRED", "MUST_SCAN_FIRST", "MUST_SCAN_EACH"]),
                name="facility_scan_rules",
            ),
            models.CheckConstraint(
                condition=Q(latitude=None, longitude=None)
                | Q(latitude__isnull=False, longitude__isnull=False),
                name="facility_coordinates_both",
                violation_error_message=_("Give both latitude and longitude, or neither."),
            ),
        ]

    def __str__(self):
        return self.name

    @property
    def log_facility_id(self):
        return self.pk

    @property
    def tz(self):
        return zoneinfo.ZoneInfo(self.time_zone)

    def ready_time(self, now, *, buffer=None):
        """When work that comes in now is done, see ``core.target_time``; ``buffer`` minutes, else the facility's."""
        return ready_time(now, **self._calendar(self.fulfillment_buffer if buffer is None else buffer))

    def target_time(self, now, *, is_collected):
        """When a job that comes in now should be ready: after the buffer, or at the first cut-off in reach."""
        if is_collected:
            return self.ready_time(now)
        active = [link for link in self.carriers.all() if link.is_active]
        cutoffs = [link.cutoffs for link in active]
        return target_time(now, cutoffs=cutoffs, **self._calendar(self.fulfillment_buffer))

    def _calendar(self, buffer):
        closing_days = list(self.closing_days.all())
        return {
            "tz": self.tz,
            "picking_times": self.picking_times,
            "closed_on": lambda day: any(closing.covers(day) for closing in closing_days),
            "buffer": buffer,
        }

    @transition(field=status, source="*", target=Status.ONLINE)
    def go_online(self):
        """Gets new orders."""

    @transition(field=status, source="*", target=Status.SUSPENDED)
    def suspend(self):
        """Finishes current work only."""

    @transition(field=status, source="*", target=Status.OFFLINE)
    def go_offline(self):
        """No work."""


class ClosingDay(models.Model):
    class Recurrence(models.TextChoices):
        YEARLY = "YEARLY", _("Every year")
        NONRECURRING = "NONRECURRING", _("Once")

    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="closing_days")
    closed_on = models.DateField(_("day"))
    reason = models.CharField(_("reason"), max_length=100)
    recurrence = models.CharField(
        _("recurrence"),
        max_length=12,
        choices=Recurrence.choices,
        default=Recurrence.NONRECURRING,
    )

    class Meta:
        ordering = ["closed_on"]
        constraints = [
            models.UniqueConstraint(fields=["facility", "closed_on"], name="closing_day_once"),
            models.CheckConstraint(
                condition=Q(recurrence__in=["YEARLY", "NONRECURRING"]), name="closing_day_recurrence"
            ),
        ]
        verbose_name = _("closing day")
        verbose_name_plural = _("closing days")

    def __str__(self):
        return f"{self.closed_on} {self.reason}"

    def covers(self, day):
        """Whether a date is this closing day, in any year when it comes back yearly."""
        if self.recurrence == self.Recurrence.YEARLY:
            return (day.month, day.day) == (self.closed_on.month, self.closed_on.day)
        return day == self.closed_on


class Zone(Entity):
    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="zones")
    name = models.CharField(_("name"), max_length=50)
    score = models.FloatField(_("score"), default=1)

    class Meta(Entity.Meta):
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["facility", "name"], name="zone_name_once")]
        verbose_name = _("zone")
        verbose_name_plural = _("zones")

    def __str__(self):
        return self.name


class StorageLocation(Entity):
    class Type(models.TextChoices):
        SINGLE_STORAGE = "SINGLE_STORAGE", _("One article")
        BULK_STORAGE = "BULK_STORAGE", _("Several articles")

    facility = models.ForeignKey(Facility, on_delete=models.CASCADE, related_name="locations")
    zone = models.ForeignKey(Zone, on_delete=models.PROTECT, null=True, blank=True, related_name="locations")
    name = models.CharField(_("name"), max_length=15)
    type = models.CharField(_("type"), max_length=14, choices=Type.choices, default=Type.BULK_STORAGE)
    running_sequence = models.PositiveIntegerField(
        _("running sequence"),
        default=0,
        help_text=_("Order of the walk. Places with the same one are ordered by aisle and bay."),
    )
    # Where it is on the floor: parallel aisles numbered from the entrance, bays from the front, levels from the ground.
    aisle = models.PositiveSmallIntegerField(
        _("aisle"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(999)]
    )
    bay = models.PositiveSmallIntegerField(
        _("bay"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(999)]
    )
    level = models.PositiveSmallIntegerField(
        _("level"), null=True, blank=True, validators=[MaxValueValidator(99)]
    )
    scannable_codes = models.JSONField(_("scannable codes"), default=list, blank=True)
    is_pickable = models.BooleanField(_("pickable"), default=True)
    is_accessible = models.BooleanField(_("accessible"), default=True)

    class Meta(Entity.Meta):
        ordering = ["running_sequence", "name"]
        constraints = [
            models.UniqueConstraint(fields=["facility", "name"], name="location_name_once"),
            models.CheckConstraint(
                condition=Q(type__in=["SINGLE_STORAGE", "BULK_STORAGE"]),
                name="location_type",
            ),
            models.CheckConstraint(
                condition=Q(aisle=None, bay=None) | Q(aisle__isnull=False, bay__isnull=False),
                name="location_coordinates_both",
                violation_error_message=_("Give both aisle and bay, or neither."),
            ),
        ]
        verbose_name = _("storage location")
        verbose_name_plural = _("storage locations")

    def __str__(self):
        return self.name
