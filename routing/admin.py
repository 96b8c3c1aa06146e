"""The routing configuration is edited here as a draft; nothing routes by it until it is published."""

from django import forms
from django.contrib import admin, messages
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from fulfillment.core.access import permissions_at
from fulfillment.core.admin import ReadOnly
from fulfillment.core.models import Permission

from . import configurations, trials
from .models import (
    DecisionLog,
    FallbackFacility,
    FenceSetting,
    Place,
    RatingSetting,
    RerouteDescription,
    Reservation,
    RoutingConfiguration,
    RoutingPlan,
    RoutingPlanLine,
    RoutingRevision,
    StrategyNode,
)
from .rules import FENCES, RATINGS, find


class RuleInline(admin.TabularInline):
    """One row per rule that the code has; staff switch and weigh, they do not add."""

    extra = 0
    can_delete = False
    rules: dict = {}

    def get_queryset(self, request):
        return super().get_queryset(request).filter(name="")

    def has_add_permission(self, request, obj=None):
        return False

    @admin.display(description=_("criterion"))
    def criterion(self, setting):
        known = find(self.rules, setting.key)
        if known is None:
            return setting.key
        return format_html("<strong>{}</strong><br>{}", known.label, known.description)


class FenceInline(RuleInline):
    model = FenceSetting
    fields = ("criterion", "is_active")
    readonly_fields = ("criterion",)
    rules = FENCES


class RatingInline(RuleInline):
    model = RatingSetting
    fields = ("criterion", "is_active", "weight", "best", "worst")
    readonly_fields = ("criterion",)
    rules = RATINGS


class OwnRuleForm(forms.ModelForm):
    """A criterion in the words of staff; its key is always the one for own rules."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.instance.key = "CUSTOM"
        self.fields["name"].required = self.fields["rule"].required = True


class OwnInline(admin.StackedInline):
    extra = 0
    form = OwnRuleForm

    def get_queryset(self, request):
        return super().get_queryset(request).exclude(name="")


class OwnFenceInline(OwnInline):
    model = FenceSetting
    fields = ("name", "rule", "is_active")
    verbose_name, verbose_name_plural = _("own fence"), _("own fences")


class OwnRatingInline(OwnInline):
    model = RatingSetting
    fields = ("name", "rule", "is_active", "weight")
    verbose_name, verbose_name_plural = _("own rating"), _("own ratings")


class FallbackInline(admin.TabularInline):
    model = FallbackFacility
    extra = 0
    fields = ("position", "facility")
    autocomplete_fields = ("facility",)


class NodeInline(admin.StackedInline):
    """The strategy tree below the root, which is the rest of this page."""

    model = StrategyNode
    extra = 0
    fields = ("name", "parent", "position", "condition", "changes")

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        kwargs["queryset"] = StrategyNode.objects.filter(configuration=1)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ConfigurationForm(forms.ModelForm):
    comment = forms.CharField(
        label=_("Comment on the publication"),
        required=False,
        max_length=200,
        help_text=_("What is changed and why; kept with the revision."),
    )


@admin.register(RoutingConfiguration)
class RoutingConfigurationAdmin(admin.ModelAdmin):
    form = ConfigurationForm
    inlines = (FenceInline, OwnFenceInline, RatingInline, OwnRatingInline, FallbackInline, NodeInline)
    readonly_fields = ("state",)
    fields = (
        "state",
        ("is_split_active", "split_mode", "max_split_count", "least_units", "least_value"),
        "split_sameday",
        "partly_reservable",
        "stop_after_hours",
        "time_zone",
        "missing_units",
        ("reroute_after_minutes", "reroute_within_hours", "reroute_idle_minutes"),
        ("reroute_offline", "reroute_blacklist"),
        "fallback_after_minutes",
        "comment",
    )
    change_form_template = "admin/routing/configuration_change.html"

    def has_add_permission(self, request):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def changelist_view(self, request, extra_context=None):
        draft = configurations.complete_draft()
        return redirect(reverse("admin:routing_routingconfiguration_change", args=[draft.pk]))

    def change_view(self, request, object_id, form_url="", extra_context=None):
        configurations.complete_draft()
        context = {"may_publish": self._may_publish(request), "show_save_and_add_another": False}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    @staticmethod
    def _may_publish(request):
        return Permission.ROUTING_PUBLISH in permissions_at(request.user)

    @admin.display(description=_("state"))
    def state(self, draft):
        number, differences = configurations.differences(draft)
        if not differences:
            return _("This is what revision %(number)s does.") % {"number": number}
        return format_html(
            "{}<ul>{}</ul>",
            _("Not published yet. Revision %(number)s is in use; the draft differs in:") % {"number": number},
            format_html("".join("<li>{}</li>" for _difference in differences), *differences),
        )

    def save_related(self, request, form, formsets, change):
        super().save_related(request, form, formsets, change)
        if "_publish" in request.POST and self._may_publish(request):
            try:
                revision = configurations.publish(
                    comment=form.cleaned_data["comment"], by=request.user, now=timezone.now()
                )
            except configurations.UnfitConfiguration as refusal:
                # What was typed stays saved as the draft; only the publication is refused.
                messages.error(request, refusal.message)
                return
            messages.success(request, _("%(revision)s is in use from now on.") % {"revision": revision})
            facts = trials.facts(revision.data, now=timezone.now())
            for fact in [*configurations.loose_ends(revision.data), *facts]:
                messages.warning(request, fact)


@admin.register(RerouteDescription)
class RerouteDescriptionAdmin(admin.ModelAdmin):
    list_display = ("reason", "modified_at")
    search_fields = ("reason",)
    fields = ("reason", "reasons")


@admin.register(RoutingRevision)
class RoutingRevisionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("number", "published_at", "published_by", "comment")
    list_select_related = ("published_by",)
    search_fields = ("comment",)
    list_filter = ("published_at",)


class PlanLineInline(ReadOnly, admin.TabularInline):
    model = RoutingPlanLine
    fields = ("order_line", "quantity", "done")
    extra = 0


@admin.register(RoutingPlan)
class RoutingPlanAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("order", "facility", "status", "reason", "routed_at", "decision")
    list_filter = ("status", "reason", "facility")
    list_select_related = ("order", "facility")
    search_fields = ("order__tenant_order_id", "order__recipient_name", "lines__order_line__sku")
    inlines = (PlanLineInline,)

    @admin.display(description=_("decision"))
    def decision(self, plan):
        return format_html(
            '<a href="{}">{}</a>', reverse("routing:decision", args=[plan.order_id]), _("Show decision")
        )


@admin.register(Reservation)
class ReservationAdmin(ReadOnly, admin.ModelAdmin):
    """Who holds which stock."""

    list_display = ("article", "facility", "quantity", "order", "created_at")
    list_filter = ("listing__facility",)
    list_select_related = ("listing__article", "listing__facility", "plan_line__plan__order")
    search_fields = (
        "listing__article__sku",
        "listing__article__title",
        "plan_line__plan__order__tenant_order_id",
    )

    @admin.display(description=_("article"), ordering="listing__article__sku")
    def article(self, reservation):
        return reservation.listing.article

    @admin.display(description=_("facility"), ordering="listing__facility__name")
    def facility(self, reservation):
        return reservation.listing.facility

    @admin.display(description=_("order"))
    def order(self, reservation):
        return reservation.plan_line.plan.order


@admin.register(DecisionLog)
class DecisionLogAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("order", "run", "outcome", "revision", "duration_ms", "at")
    list_filter = ("outcome", "revision", "at")
    list_select_related = ("order", "revision")
    search_fields = ("order__tenant_order_id",)


@admin.register(Place)
class PlaceAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("country", "kind", "key", "latitude", "longitude", "population")
    list_filter = ("kind", "country")
    search_fields = ("key",)
