"""Facilities, their zones and places, and carriers."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..models import (
    Carrier,
    ClosingDay,
    Facility,
    FacilityCarrier,
    StorageLocation,
    Zone,
)
from ..models.facility import ShortReason, default_services, default_short_reasons
from ..resources import FacilityResource, LocationResource
from ..services import facilities
from .base import (
    INTERNAL,
    ChangedFields,
    CsvAdmin,
    ListJSONField,
    choices_field,
)


class FacilityForm(forms.ModelForm):
    services = choices_field(Facility.Service.choices, _("services"), initial=default_services)
    picking_methods = ListJSONField(
        label=_("Picking methods"),
        help_text=_(
            "SINGLE_ORDER, MULTI_ORDER, BATCH or ZONE, separated by commas; the first is offered first. None: as everywhere."
        ),
    )
    short_reasons = choices_field(
        ShortReason.choices, _("reasons for missing units"), initial=default_short_reasons
    )

    def clean_picking_times(self):
        return self.cleaned_data["picking_times"] or {}  # any empty JSON means: at no time


class ClosingDayInline(admin.TabularInline):
    model = ClosingDay
    extra = 0


class FacilityCarrierForm(forms.ModelForm):
    delivery_countries = ListJSONField(
        label=_("Delivers to"), help_text=_("Country codes separated by commas; none: everywhere.")
    )


class FacilityCarrierInline(admin.TabularInline):
    model = FacilityCarrier
    form = FacilityCarrierForm
    fields = (
        "carrier",
        "status",
        "priority",
        "cutoffs",
        "delivery_countries",
        "parcel_cost",
        "transit_days",
    )
    extra = 0

    def formfield_for_dbfield(self, field, request, **kwargs):
        if field.name == "cutoffs":
            kwargs["widget"] = forms.Textarea(attrs={"rows": 2, "cols": 30})
        return super().formfield_for_dbfield(field, request, **kwargs)


@admin.register(Facility)
class FacilityAdmin(CsvAdmin, admin.ModelAdmin):
    form = FacilityForm
    resource_classes = (FacilityResource,)
    list_display = ("name", "tenant_facility_id", "status", "location_type", "city", "country")
    list_filter = ("status", "location_type", "country")
    search_fields = ("name", "tenant_facility_id", "slug", "city", "postal_code")
    readonly_fields = ("status", "version", "created_at", "modified_at")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (ClosingDayInline, FacilityCarrierInline)
    actions = ("go_online", "suspend", "go_offline")
    fieldsets = (
        (None, {"fields": (("name", "tenant_facility_id"), "slug", ("status", "location_type"), "services")}),
        (
            _("Address"),
            {
                "fields": (
                    "company_name",
                    ("street", "house_number"),
                    ("postal_code", "city", "country"),
                    ("latitude", "longitude"),
                    ("phone", "email"),
                    "time_zone",
                )
            },
        ),
        (
            _("Work"),
            {
                "fields": (
                    "picking_times",
                    "fulfillment_buffer",
                    ("capacity_enabled", "capacity_planning_days"),
                    "picking_methods",
                    "short_reasons",
                    ("counts_on_short_pick", "zero_stock_on_short_pick"),
                    ("article_scan", "location_scan"),
                    "counts_unknown_codes",
                    "pack_scan",
                    ("weight_tolerance_percent", "weight_tolerance_g"),
                )
            },
        ),
        (_("Record"), {"fields": (("version", "created_at", "modified_at"),)}),
    )

    def get_readonly_fields(self, request, obj=None):
        return (*self.readonly_fields, "slug") if obj else self.readonly_fields

    def get_prepopulated_fields(self, request, obj=None):
        return {} if obj else self.prepopulated_fields

    def has_delete_permission(self, request, obj=None):
        return False  # its orders and stock need it; it goes offline instead

    def save_model(self, request, obj, form, change):
        step = {"by": request.user, "now": timezone.now()}
        if change:
            facilities.change(obj.pk, form.cleaned_data, **step)
        else:
            facilities.create(obj, **step)

    def _set_status(self, request, queryset, status):
        for facility in queryset:
            facilities.set_status(facility.pk, status, by=request.user, now=timezone.now())
        self.message_user(
            request,
            _("%(names)s: %(status)s.")
            % {"names": ", ".join(map(str, queryset)), "status": Facility.Status(status).label},
        )

    @admin.action(description=_("Take online"), permissions=["change"])
    def go_online(self, request, queryset):
        self._set_status(request, queryset, Facility.Status.ONLINE)

    @admin.action(description=_("Suspend (no new orders)"), permissions=["change"])
    def suspend(self, request, queryset):
        self._set_status(request, queryset, Facility.Status.SUSPENDED)

    @admin.action(description=_("Take offline"), permissions=["change"])
    def go_offline(self, request, queryset):
        self._set_status(request, queryset, Facility.Status.OFFLINE)


@admin.register(Zone)
class ZoneAdmin(ChangedFields, admin.ModelAdmin):
    exclude = INTERNAL
    list_display = ("name", "facility", "score")
    list_filter = ("facility",)
    list_select_related = ("facility",)
    search_fields = ("name", "facility__name")
    autocomplete_fields = ("facility",)


class StorageLocationForm(forms.ModelForm):
    scannable_codes = ListJSONField(
        label=_("Scannable codes"), help_text=_("At most five, separated by commas.")
    )

    def clean_scannable_codes(self):
        codes = self.cleaned_data["scannable_codes"]
        if len(codes) > 5:
            raise ValidationError(_("At most five codes."))
        return codes


@admin.register(StorageLocation)
class StorageLocationAdmin(ChangedFields, CsvAdmin, admin.ModelAdmin):
    form = StorageLocationForm
    resource_classes = (LocationResource,)
    exclude = INTERNAL
    list_display = (
        "name",
        "facility",
        "zone",
        "running_sequence",
        "aisle",
        "bay",
        "level",
        "is_pickable",
        "is_accessible",
    )
    list_filter = ("facility", "type", "is_pickable", "is_accessible")
    list_select_related = ("facility", "zone")
    search_fields = ("name", "facility__name", "scannable_codes")
    autocomplete_fields = ("facility", "zone")

    def get_export_queryset(self, request):
        return super().get_export_queryset(request).select_related("facility", "zone")


@admin.register(Carrier)
class CarrierAdmin(ChangedFields, admin.ModelAdmin):
    exclude = INTERNAL
    list_display = ("name", "key", "status", "delivery_type", "adapter")
    list_filter = ("status", "delivery_type", "adapter")
    search_fields = ("name", "key")
