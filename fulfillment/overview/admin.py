"""Who is told what: subscriptions, and the log of their deliveries."""

import json

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from fulfillment.core.admin import ReadOnly
from fulfillment.core.encryption import UnreadableSecret
from fulfillment.core.errors import Refused

from . import services
from .models import Subscription, WebhookAttempt, WebhookDelivery
from .publications import PUBLICATIONS


class SubscriptionForm(forms.ModelForm):
    event = forms.ChoiceField(
        label=_("Event"),
        choices=[(publication.name, publication.name) for publication in PUBLICATIONS.values()],
    )
    headers = forms.CharField(
        label=_("Headers"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 80}),
        help_text=_("Sent with each call, one per line like “Authorization: Bearer …”. Stored encrypted."),
    )

    def clean_headers(self):
        pairs = []
        for line in filter(None, map(str.strip, self.cleaned_data["headers"].splitlines())):
            name, colon, value = line.partition(":")
            if not colon:
                raise ValidationError(_("Write each header as name, colon and value."))
            pairs.append((name.strip(), value.strip()))
        return pairs

    def clean(self):
        data = super().clean()
        if not self.errors:
            try:
                services.check_target(data["callback_url"], data["headers"])
                services.check_name(data["callback_url"])
            except Refused as refusal:
                raise ValidationError(str(refusal.message)) from refusal
        return data


class ReplayForm(forms.ModelForm):
    replay_from = forms.SplitDateTimeField(
        label=_("Tell again since"),
        required=False,
        widget=AdminSplitDateTime,
        help_text=_("Everything that happened since this time is told once more."),
    )


@admin.register(Subscription)
class SubscriptionAdmin(admin.ModelAdmin):
    """The signing secret is shown once, after it was made."""

    list_display = ("name", "event", "callback_url", "channel", "active", "open_count", "failed_count")
    list_filter = ("event", "channel", ("paused_at", admin.EmptyFieldListFilter))
    list_select_related = ("channel",)
    search_fields = ("name", "callback_url", "event")
    autocomplete_fields = ("channel", "facilities")
    actions = ("pause", "resume", "renew_secret", "end")

    def get_queryset(self, request):
        state = WebhookDelivery.State
        return (
            super()
            .get_queryset(request)
            .live()
            .annotate(open_deliveries=_count(state.DUE), failed_deliveries=_count(state.FAILED))
        )

    def get_form(self, request, obj=None, change=False, **options):
        return super().get_form(request, obj, change, form=ReplayForm if obj else SubscriptionForm, **options)

    def get_fields(self, request, obj=None):
        if obj is None:
            return ("name", "event", "callback_url", "headers", "channel", "facilities")
        return (
            *("name", "event", "callback_url", "header_names", "channel", "facilities"),
            *("paused_at", "created_at", "created_by", "replay_from"),
        )

    def get_readonly_fields(self, request, obj=None):
        return [name for name in self.get_fields(request, obj) if name != "replay_from"] if obj else ()

    def has_delete_permission(self, request, obj=None):
        return False  # a running step may point to it; it is ended instead

    @admin.display(description=_("active"), boolean=True)
    def active(self, subscription):
        return subscription.paused_at is None

    @admin.display(description=_("due"))
    def open_count(self, subscription):
        return subscription.open_deliveries

    @admin.display(description=_("failed"))
    def failed_count(self, subscription):
        return subscription.failed_deliveries

    @admin.display(description=_("headers"))
    def header_names(self, subscription):
        try:
            return ", ".join(name for name, _value in subscription.headers) or "-"
        except UnreadableSecret as error:
            return str(error)

    def save_model(self, request, obj, form, change):
        now = timezone.now()
        if change:
            since = form.cleaned_data["replay_from"]
            if since is not None:
                count = services.replay(obj.pk, since=since, now=now)
                self.message_user(request, _("%(count)s events are told again.") % {"count": count})
            return
        data = form.cleaned_data
        made, secret = services.subscribe(
            name=data["name"],
            event=data["event"],
            callback_url=data["callback_url"],
            headers=data["headers"],
            channel=data["channel"],
            facilities=data["facilities"],
            by=request.user,
            now=now,
        )
        obj.pk = made.pk
        obj._state.adding = False
        self._show(request, made, secret)

    def _show(self, request, subscription, secret):
        self.message_user(
            request,
            format_html(
                "{} <code>{}</code>",
                _("Copy the secret of %(name)s now; it is not shown again:") % {"name": subscription.name},
                secret,
            ),
            messages.WARNING,
        )

    def _each(self, request, queryset, step, text):
        for pk in queryset.values_list("pk", flat=True):
            step(pk, now=timezone.now())
        self.message_user(request, text % {"count": queryset.count()})

    @admin.action(description=_("Pause"), permissions=["change"])
    def pause(self, request, queryset):
        self._each(request, queryset, services.pause, _("%(count)s subscriptions are paused."))

    @admin.action(description=_("Resume"), permissions=["change"])
    def resume(self, request, queryset):
        self._each(request, queryset, services.resume, _("%(count)s subscriptions go on."))

    @admin.action(description=_("New signing secret"), permissions=["change"])
    def renew_secret(self, request, queryset):
        for pk in queryset.values_list("pk", flat=True):
            self._show(request, *services.rotate_secret(pk, now=timezone.now()))

    @admin.action(description=_("End"), permissions=["change"])
    def end(self, request, queryset):
        ids = list(queryset.values_list("pk", flat=True))
        for pk in ids:
            services.unsubscribe(pk, now=timezone.now())
        self.message_user(request, _("%(count)s subscriptions are ended.") % {"count": len(ids)})


def _count(state):
    rows = WebhookDelivery.objects.filter(subscription=OuterRef("pk"), state=state)
    counted = rows.order_by().values("subscription").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)


class AttemptInline(ReadOnly, admin.TabularInline):
    model = WebhookAttempt
    fields = ("at", "milliseconds", "status_code", "error", "response")
    extra = 0


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("event", "subscription", "state", "tries", "has_gap", "due_at", "done_at", "last_answer")
    list_filter = ("state", "has_gap", "event__event", ("subscription", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("event", "subscription")
    search_fields = ("=event__order_id", "=event__entity_id", "=event__uuid", "subscription__name")
    search_help_text = _("Id of the order, of the thing or of the event, or name of the subscription")
    fields = (
        *("subscription", "event", "order_id", "state", "tries", "has_gap", "due_at", "done_at"),
        "payload",
    )
    readonly_fields = ("order_id", "payload")
    ordering = ("-pk",)
    show_full_result_count = False
    inlines = (AttemptInline,)
    actions = ("retry",)

    def get_queryset(self, request):
        return super().get_queryset(request).prefetch_related("attempts")

    @admin.display(description=_("order"))
    def order_id(self, delivery):
        return delivery.event.order_id

    @admin.display(description=_("data"))
    def payload(self, delivery):
        return format_html("<pre>{}</pre>", json.dumps(delivery.event.payload, indent=2, ensure_ascii=False))

    @admin.display(description=_("last answer"))
    def last_answer(self, delivery):
        attempts = list(delivery.attempts.all())
        return (attempts[-1].error or attempts[-1].status_code) if attempts else "-"

    @admin.action(description=_("Try again now"), permissions=["retry"])
    def retry(self, request, queryset):
        count = services.retry(list(queryset.values_list("pk", flat=True)), now=timezone.now())
        self.message_user(request, _("%(count)s entries are tried again.") % {"count": count})

    def has_retry_permission(self, request):
        return request.user.has_perm("overview.change_webhookdelivery")
