from django.contrib import admin

from fulfillment.core.admin import ReadOnly

from .models import Package, PackJob, PackLine


class PackLineInline(ReadOnly, admin.TabularInline):
    model = PackLine
    fields = ("title", "article", "quantity")
    extra = 0


class PackageInline(ReadOnly, admin.TabularInline):
    model = Package
    fields = ("number", "code", "weight_g")
    extra = 0


@admin.register(PackJob)
class PackJobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("short_id", "facility", "order", "status", "editor", "target_time", "closed_at")
    list_filter = ("status", "kind", "facility")
    list_select_related = ("facility", "order", "editor")
    search_fields = ("short_id", "order__tenant_order_id", "order__recipient_name", "packages__code")
    inlines = (PackLineInline, PackageInline)
