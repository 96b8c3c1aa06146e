from django.contrib import admin, messages
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from fulfillment.core.admin import ReadOnly

from . import polling, services
from .forms import ConnectionForm, KindForm
from .models import Connection, Delivery, Report
from .registry import KINDS


@admin.register(Connection)
class ConnectionAdmin(admin.ModelAdmin):
    """Connections: which source first, then its own form. Credentials are typed in and never shown again."""

    list_display = ("name", "source", "channel", "state", "watermark", "last_error")
    list_select_related = ("channel",)
    search_fields = ("name",)
    actions = ("pause", "resume", "poll_now")
    change_form_template = "sources/admin_connection.html"

    def get_object(self, request, object_id, from_field=None):
        connection = super().get_object(request, object_id, from_field)
        if connection is not None:
            connection.site = request.build_absolute_uri("/").rstrip("/")
        return connection

    def get_readonly_fields(self, request, obj=None):
        return (
            ("source", "state", "webhook_address", "poll_progress", "last_error", "last_error_at")
            if obj
            else ()
        )

    def get_form(self, request, obj=None, change=False, **kwargs):
        kind = KINDS.get(obj.kind if obj else request.GET.get("kind", ""))

        class Form(ConnectionForm):
            def __init__(self, *args, **options):
                options["instance"] = options.get("instance") or Connection(kind=kind.key)
                super().__init__(*args, **options)

        return Form

    def get_fieldsets(self, request, obj=None):
        kind = KINDS[obj.kind if obj else request.GET["kind"]]
        common = [name for name in kind.fields if name not in kind.settings]
        shown = list(self.get_readonly_fields(request, obj))
        return [
            (None, {"fields": [*shown[:2], "name", "channel"]}),
            (gettext_lazy("Credentials"), {"fields": list(kind.credentials)}),
            (kind.label, {"fields": list(kind.settings)}),
            (gettext_lazy("Orders and reports"), {"fields": [*common, "keep_raw_days"]}),
            (gettext_lazy("Progress"), {"fields": ["watermark", *shown[2:]]}),
        ]

    def get_urls(self):
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/test/", view(require_POST(self.test)), name="sources_connection_test"),
            path("<uuid:pk>/pause/", view(require_POST(self.toggle)), name="sources_connection_pause"),
            *super().get_urls(),
        ]

    def add_view(self, request, form_url="", extra_context=None):
        if request.GET.get("kind") in KINDS:
            return super().add_view(request, form_url, extra_context)
        if not self.has_add_permission(request):
            raise Http404
        form = KindForm(request.GET or None)
        context = {
            **self.admin_site.each_context(request),
            "form": form,
            "opts": self.opts,
            "title": _("Add connection"),
        }
        return render(request, "sources/admin_kind.html", context)

    def test(self, request, pk):
        """“Test connection”: says what is wrong in words."""
        connection = get_object_or_404(Connection, pk=pk)
        problems = services.check(connection)
        for problem in problems:
            messages.error(request, problem)
        if not problems:
            messages.success(
                request, _("%(connection)s answers, and nothing is missing.") % {"connection": connection}
            )
        return redirect("admin:sources_connection_change", pk)

    def toggle(self, request, pk):
        connection = get_object_or_404(Connection, pk=pk)
        services.set_paused([connection.pk], not connection.is_paused, now=timezone.now())
        words = _("%(connection)s goes on.") if connection.is_paused else _("%(connection)s is paused.")
        messages.success(request, words % {"connection": connection})
        return redirect("admin:sources_connection_change", pk)

    @admin.display(description=gettext_lazy("source"), ordering="kind")
    def source(self, connection):
        kind = KINDS.get(connection.kind)
        return kind.label if kind else connection.kind

    @admin.display(description=gettext_lazy("state"), ordering="paused_at")
    def state(self, connection):
        return _("Paused") if connection.is_paused else _("Active")

    @admin.display(description=gettext_lazy("address for webhooks"))
    def webhook_address(self, connection):
        kind = KINDS.get(connection.kind)
        if kind is None or not kind.has_webhooks:
            return _("This source is polled only.")
        return format_html(
            "<code>{}{}</code>", connection.site, reverse("sources:webhook", args=[connection.pk])
        )

    @admin.display(description=gettext_lazy("last poll"))
    def poll_progress(self, connection):
        return services.progress_words(connection)

    @admin.action(description=gettext_lazy("Pause"), permissions=["change"])
    def pause(self, request, queryset):
        self._set_paused(request, queryset, True)

    @admin.action(description=gettext_lazy("Go on"), permissions=["change"])
    def resume(self, request, queryset):
        self._set_paused(request, queryset, False)

    def _set_paused(self, request, queryset, is_paused):
        count = services.set_paused(queryset.values_list("pk", flat=True), is_paused, now=timezone.now())
        if is_paused:
            words = ngettext("%(count)s connection is paused.", "%(count)s connections are paused.", count)
        else:
            words = ngettext("%(count)s connection goes on.", "%(count)s connections go on.", count)
        self.message_user(request, words % {"count": count})

    @admin.action(description=gettext_lazy("Poll as soon as possible"), permissions=["change"])
    def poll_now(self, request, queryset):
        polling.ask(queryset, now=timezone.now())
        self.message_user(request, _("They are polled within seconds."))


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("__str__", "connection", "topic", "state", "because", "received_at", "attempts")
    list_filter = ("state", "connection", "via")
    list_select_related = ("connection",)
    search_fields = ("key", "external_id", "number")
    exclude = ("body", "correction", "reason_code", "reason_params")

    def get_queryset(self, request):
        return super().get_queryset(request).defer("body", "correction")

    @admin.display(description=gettext_lazy("reason"))
    def because(self, delivery):
        return str(delivery.reason)


@admin.register(Report)
class ReportAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("__str__", "connection", "what", "state", "because", "attempts", "remote_id", "sent_at")
    list_filter = ("state", "what", "connection")
    list_select_related = ("connection", "imported__connection")
    search_fields = ("imported__number", "imported__external_id", "remote_id")
    exclude = ("reason_code", "reason_params")

    @admin.display(description=gettext_lazy("reason"))
    def because(self, report):
        return str(report.reason)
