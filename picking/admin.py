from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from fulfillment.core.admin import ReadOnly
from fulfillment.core.admin.base import ListJSONField

from .models import LoadUnit, PickingRules, PickJob, PickLine, PickRun, PickRunJob, RestowItem, ScanEvent


class PickLineInline(ReadOnly, admin.TabularInline):
    model = PickLine
    fields = ("title", "article", "quantity", "picked", "short", "status", "short_reason")
    extra = 0


@admin.register(PickJob)
class PickJobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("short_id", "facility", "order", "status", "sub_status", "editor", "target_time")
    list_filter = ("status", "sub_status", "kind", "facility")
    list_select_related = ("facility", "order", "editor")
    search_fields = ("short_id", "order__tenant_order_id", "order__recipient_name", "lines__article__sku")
    inlines = (PickLineInline,)


@admin.register(ScanEvent)
class ScanEventAdmin(ReadOnly, admin.ModelAdmin):
    """What devices sent, and what they were answered."""

    list_display = ("received_at", "facility", "user", "job", "kind", "code", "status_code")
    list_filter = ("kind", "status_code", "facility")
    list_select_related = ("facility", "user", "job")
    search_fields = ("code", "job__short_id", "job__order__tenant_order_id")


@admin.register(RestowItem)
class RestowItemAdmin(ReadOnly, admin.ModelAdmin):
    """What goes back on its shelf, and what went back."""

    list_display = ("article", "quantity", "facility", "order", "reason", "status", "editor", "closed_at")
    list_filter = ("status", "reason", "facility")
    list_select_related = ("article", "facility", "order", "editor")
    search_fields = ("article__sku", "article__title", "order__tenant_order_id")


class PickRunJobInline(ReadOnly, admin.TabularInline):
    model = PickRunJob
    fields = ("number", "job", "packed_at")
    extra = 0


@admin.register(PickRun)
class PickRunAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("short_id", "facility", "method", "status", "editor", "started_at", "closed_at")
    list_filter = ("status", "method", "facility")
    list_select_related = ("facility", "editor")
    search_fields = ("short_id", "run_jobs__job__short_id", "run_jobs__job__order__tenant_order_id")
    inlines = (PickRunJobInline,)


@admin.register(LoadUnit)
class LoadUnitAdmin(ReadOnly, admin.ModelAdmin):
    """Totes and boxes, and what they hold."""

    list_display = ("code", "type", "facility", "status", "job", "run", "location")
    list_filter = ("status", "type", "facility")
    list_select_related = ("facility", "job", "run", "location")
    search_fields = ("code", "job__short_id", "job__order__tenant_order_id")


class PickingRulesForm(forms.ModelForm):
    methods = ListJSONField(
        label=_("Picking methods"),
        help_text=_(
            "SINGLE_ORDER, MULTI_ORDER, BATCH or ZONE, separated by commas; the first is offered first. None: as everywhere."
        ),
    )


@admin.register(PickingRules)
class PickingRulesAdmin(admin.ModelAdmin):
    """How runs are built, for all facilities or for one."""

    form = PickingRulesForm
    list_display = ("__str__", "methods", "most_jobs", "most_totes", "most_weight_g", "most_volume_l")
    list_select_related = ("facility",)
    autocomplete_fields = ("facility",)
