"""What happened and what is on its way: the log, the outbox, documents."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from .. import outbox
from ..models import (
    Document,
    OutboxEntry,
    StatusChange,
)
from .base import ReadOnly


@admin.register(StatusChange)
class StatusChangeAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("at", "entity", "action", "before", "after", "actor", "reason")
    list_filter = ("entity", "after", "at")
    list_select_related = ("by",)
    search_fields = ("=entity_id", "=order_id", "actor", "reason")
    search_help_text = _("Id of the thing or of its order, person, reason")
    show_full_result_count = False


@admin.register(OutboxEntry)
class OutboxEntryAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("pk", "event", "handler", "lane", "state", "attempts", "due_at", "last_error")
    list_filter = ("state", "lane", "event", "handler")
    search_fields = ("event", "handler", "last_error")
    show_full_result_count = False
    actions = ("retry",)

    @admin.action(description=_("Try again now"), permissions=["retry"])
    def retry(self, request, queryset):
        count = outbox.retry(list(queryset.values_list("pk", flat=True)))
        self.message_user(request, _("%(count)s failed entries are due again.") % {"count": count})

    def has_retry_permission(self, request):
        return request.user.has_perm("core.change_outboxentry")


@admin.register(Document)
class DocumentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "category", "format", "facility", "size", "created_at")
    list_filter = ("category", "format", "facility")
    list_select_related = ("facility",)
    search_fields = ("name", "=order_id", "sha256")
    show_full_result_count = False
