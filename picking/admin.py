from django.contrib import admin

from fulfillment.core.admin import ReadOnly

from .models import PickJob, PickLine, ScanEvent


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
