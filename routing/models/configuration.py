"""What staff edit, and what they published of it."""

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fulfillment.core.models import Facility
from fulfillment.core.models.base import Entity
from fulfillment.core.models.facility import validate_time_zone
from routing.rules import MOST_LEVELS, BadRule, check_changes, read_condition, read_rule


class RoutingConfiguration(models.Model):
    """The draft that staff edit: one row. Nothing routes by it until it is published as a revision."""

    class Partial(models.TextChoices):
        WAIT = "WAIT", _("Wait for the whole order")
        ROUTE = "ROUTE", _("Route what is there")

    class Missing(models.TextChoices):
        NONE = "NONE", _("Tell the shop that they will not come")
        SPLIT = "SPLIT", _("Look for another facility for them")
        REROUTE = "REROUTE", _("Place all anew; what is picked goes back on the shelf")
        REROUTE_UNTOUCHED = (
            "REROUTE_UNTOUCHED",
            _("Place all anew when nothing is picked, else look for them"),
        )

    class SplitMode(models.TextChoices):
        EXACT = "EXACT", _("Exact")
        GREEDY = "GREEDY", _("Step by step")

    is_split_active = models.BooleanField(_("split orders"), default=True)
    max_split_count = models.PositiveSmallIntegerField(
        _("most splits"),
        default=2,
        help_text=_("1 allows two parts."),
        validators=[MaxValueValidator(20)],
    )
    partly_reservable = models.CharField(
        _("when only a part is in stock"),
        max_length=5,
        choices=Partial.choices,
        default=Partial.WAIT,
    )
    split_mode = models.CharField(
        _("how to split"),
        max_length=6,
        choices=SplitMode.choices,
        default=SplitMode.EXACT,
        help_text=_("Exact: fewest units left, then fewest parcels, then most points."),
    )
    least_units = models.PositiveSmallIntegerField(
        _("least units per parcel"),
        default=1,
        help_text=_("Of a split order."),
        validators=[MinValueValidator(1)],
    )
    least_value = models.DecimalField(
        _("least value per parcel"),
        max_digits=10,
        decimal_places=2,
        default=0,
        help_text=_("Of a split order, by the prices that the shop sends."),
        validators=[MinValueValidator(0)],
    )
    split_sameday = models.BooleanField(_("split same-day orders"), default=False)
    time_zone = models.CharField(
        _("time zone"),
        max_length=50,
        default="Europe/Berlin",
        validators=[validate_time_zone],
        help_text=_("Of weekday and time in conditions."),
    )
    stop_after_hours = models.PositiveSmallIntegerField(
        _("stop trying after (hours)"), default=8, validators=[MinValueValidator(1)]
    )
    missing_units = models.CharField(
        _("units that picking does not find"),
        max_length=17,
        choices=Missing.choices,
        default=Missing.NONE,
        help_text=_("Of shipped orders: after a short pick, and when a job is given up."),
    )
    reroute_after_minutes = models.PositiveIntegerField(
        _("move what nobody begins after (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(5)],
        help_text=_("Empty: never."),
    )
    reroute_within_hours = models.PositiveSmallIntegerField(
        _("only when due within (hours)"), default=48, validators=[MinValueValidator(1)]
    )
    reroute_idle_minutes = models.PositiveIntegerField(
        _("also what was begun and idle for (minutes)"),
        null=True,
        blank=True,
        validators=[MinValueValidator(60)],
        help_text=_("Empty: what somebody began stays. Nothing may be picked of it."),
    )
    reroute_blacklist = models.BooleanField(
        _("never back to a facility that gave an order up"),
        default=True,
        help_text=_("Else it may win again, with the stock that it has then."),
    )
    reroute_offline = models.BooleanField(_("move the work of a facility that goes offline"), default=True)
    fallback_after_minutes = models.PositiveIntegerField(
        _("to a fallback facility after (minutes)"),
        default=0,
        help_text=_("0: as soon as no other facility may or can serve the order."),
    )
    modified_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("routing configuration")
        verbose_name_plural = _("routing configuration")
        constraints = [
            models.CheckConstraint(
                condition=Q(partly_reservable__in=["WAIT", "ROUTE"]),
                name="routing_partly_reservable",
            ),
            models.CheckConstraint(
                condition=Q(split_mode__in=["EXACT", "GREEDY"]), name="routing_split_mode"
            ),
            models.CheckConstraint(
                condition=Q(missing_units__in=["NONE", "SPLIT", "REROUTE", "REROUTE_UNTOUCHED"]),
                name="routing_missing_units",
            ),
        ]

    def __str__(self):
        return str(_("Routing draft"))


class RuleSetting(models.Model):
    """A fence or rating of the draft. One that is there several times has a name and a rule of its own."""

    key = models.CharField(_("criterion"), max_length=40)
    name = models.SlugField(_("name"), max_length=40, blank=True)
    rule = models.JSONField(_("own rule"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        abstract = True

    def __str__(self):
        return self.use

    @property
    def use(self):
        """How revisions and decisions name it: ``COUNTRY``, ``CUSTOM.organic``."""
        return f"{self.key}.{self.name}" if self.name else self.key

    def clean(self):
        if self.name and not self.rule:
            raise ValidationError({"rule": _("Say what the rule asks.")})
        if self.rule:
            try:
                read_rule(self.rule)
            except BadRule as error:
                raise ValidationError({"rule": str(error)}) from error


class FenceSetting(RuleSetting):
    configuration = models.ForeignKey(RoutingConfiguration, on_delete=models.CASCADE, related_name="fences")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["configuration", "key", "name"], name="fence_once")]
        verbose_name = _("fence")
        verbose_name_plural = _("fences")


class RatingSetting(RuleSetting):
    configuration = models.ForeignKey(RoutingConfiguration, on_delete=models.CASCADE, related_name="ratings")
    weight = models.DecimalField(
        _("weight"),
        max_digits=4,
        decimal_places=2,
        default=1,
        validators=[MinValueValidator(0), MaxValueValidator(10)],
        help_text=_("Most points this rating can give, 0 to 10."),
    )
    best = models.FloatField(
        _("best at"),
        null=True,
        blank=True,
        help_text=_("With both ends given, points do not depend on the other facilities."),
    )
    worst = models.FloatField(_("worst at"), null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["configuration", "key", "name"], name="rating_once"),
            models.CheckConstraint(condition=Q(weight__gte=0, weight__lte=10), name="rating_weight"),
            models.CheckConstraint(
                condition=Q(best=None, worst=None)
                | (Q(best__isnull=False, worst__isnull=False) & ~Q(best=models.F("worst"))),
                name="rating_ends",
                violation_error_message=_("Give two different ends, or none."),
            ),
        ]
        verbose_name = _("rating")
        verbose_name_plural = _("ratings")


class RerouteDescription(Entity):
    """A reason that staff and programs may give when they move a part by hand."""

    reason = models.CharField(_("reason"), max_length=200, unique=True)
    reasons = models.JSONField(_("reason per language"), default=dict, blank=True)

    class Meta(Entity.Meta):
        verbose_name = _("reason of a re-route")
        verbose_name_plural = _("reasons of re-routes")

    def __str__(self):
        return self.reason


class FallbackFacility(models.Model):
    """A facility that takes what no other may or can serve, as long as it is online. Fences are not asked."""

    configuration = models.ForeignKey(
        RoutingConfiguration, on_delete=models.CASCADE, related_name="fallback_facilities"
    )
    facility = models.ForeignKey(
        Facility, on_delete=models.CASCADE, related_name="+", verbose_name=_("facility")
    )
    position = models.PositiveSmallIntegerField(
        _("position"), default=1, help_text=_("The first that has everything takes it.")
    )

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["configuration", "facility"], name="fallback_facility_once")
        ]
        verbose_name = _("fallback facility")
        verbose_name_plural = _("fallback facilities")

    def __str__(self):
        return str(self.facility)


class StrategyNode(models.Model):
    """Orders that meet the condition are routed by changed settings; everything not named is inherited."""

    configuration = models.ForeignKey(RoutingConfiguration, on_delete=models.CASCADE, related_name="nodes")
    parent = models.ForeignKey(
        "self",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="nodes",
        verbose_name=_("below"),
        help_text=_("None: below the root."),
    )
    position = models.PositiveSmallIntegerField(
        _("position"), default=1, help_text=_("The first condition that holds decides.")
    )
    name = models.CharField(_("name"), max_length=60)
    condition = models.JSONField(
        _("condition"),
        help_text=_(
            'For example {"predicates": [{"entity": "ORDER", "path": "channel", "operator": "EQUALS", '
            '"value": "web"}]}'
        ),
    )
    changes = models.JSONField(
        _("changes"),
        default=dict,
        blank=True,
        help_text=_(
            'For example {"weights": {"GEODISTANCE": 5}, "fences": {"COUNTRY": false}, "split": {"max_count": 1}}'
        ),
    )

    class Meta:
        ordering = ["position", "pk"]
        verbose_name = _("strategy node")
        verbose_name_plural = _("strategy nodes")

    def __str__(self):
        return self.name

    def clean(self):
        try:
            read_condition(self.condition)
        except BadRule as error:
            raise ValidationError({"condition": str(error)}) from error
        try:
            check_changes(self.changes)
        except BadRule as error:
            raise ValidationError({"changes": str(error)}) from error
        above, levels = self.parent, 1
        while above is not None:
            levels += 1
            if above.pk == self.pk or levels > MOST_LEVELS:
                raise ValidationError(
                    {"parent": _("A node cannot be below itself, nor deeper than ten levels.")}
                )
            above = above.parent


class RoutingRevision(models.Model):
    """A published configuration: numbered, never changed. Decisions name it."""

    number = models.PositiveIntegerField(_("number"), primary_key=True)
    # {"fences": [use], "ratings": [{"key": use, "weight", "scale": [best, worst]}], "rules": {use: own rule},
    #  "split": {...}, "fallback": {"facilities": [own number], "after_minutes"}, "reroute": {...}, "partly_reservable",
    #  "stop_after_hours", "time_zone", "nodes": [{"name", "condition", "changes", "nodes"}]}
    data = models.JSONField(_("configuration"), encoder=DjangoJSONEncoder)
    comment = models.CharField(_("comment"), max_length=200, blank=True)
    published_at = models.DateTimeField(_("published at"), default=timezone.now)
    published_by = models.ForeignKey(
        "core.User",
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("published by"),
    )

    class Meta:
        ordering = ["-number"]
        verbose_name = _("published revision")
        verbose_name_plural = _("published revisions")

    def __str__(self):
        return str(_("Revision %(number)s") % {"number": self.number})
