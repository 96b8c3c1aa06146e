"""What every page is built from: icons, status badges, progress, fields, figures."""

import datetime

from django import template
from django.apps import apps
from django.forms.widgets import CheckboxInput
from django.utils.formats import date_format, localize
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from lucide.templatetags.lucide import lucide as lucide_icon

register = template.Library()

# (tone, icon) of every status in the system; the tone is colour, the icon and the word carry the meaning.
_TONES = {
    "good": (
        "check",
        "CLOSED ROUTED DONE SENT CONFIRMED COMPLETED HANDED_OVER FINISHED ONLINE ACTIVE PICKED ACCEPTED delivered",
    ),
    "active": ("loader", "IN_PROGRESS PROCESSING REQUEST ROUTING IN_USE picked_up transit out_for_delivery"),
    "warn": (
        "triangle-alert",
        "PAUSED PARKED UNKNOWN LOCKED PROMISED RETRYABLE WAITING WAITING_FOR_INPUT SUSPENDED REROUTED FALLBACK_ROUTING delayed awaits_pickup_by_receiver unknown",
    ),
    "bad": ("circle-x", "FAILED NOT_ROUTABLE ERROR ABORTED OFFLINE not_delivered exception destroyed"),
    "quiet": ("ban", "CANCELLED CANCELED OBSOLETE INACTIVE IGNORED SKIPPED RETIRED canceled"),
}
TONE_OF = {status: (tone, icon) for tone, (icon, names) in _TONES.items() for status in names.split()}


@register.simple_tag
def icon(name, size=20):
    """An icon of the Lucide set, hidden from screen readers: the words beside it say the same."""
    return lucide_icon(name, size=size, aria_hidden="true", focusable="false", **{"class": "icon"})


@register.simple_tag
def status_badge(thing):
    """The status of an entity as icon, word and colour."""
    tone, name = TONE_OF.get(thing.status, ("open", "circle"))
    return format_html(
        '<span class="badge badge-{}">{}{}</span>', tone, icon(name, 16), thing.get_status_display()
    )


@register.simple_tag
def state_badge(thing):
    """As ``status_badge``, of what has a ``state``: it is work in the background and has no transitions."""
    tone, name = TONE_OF.get(thing.state, ("open", "circle"))
    return format_html(
        '<span class="badge badge-{}">{}{}</span>', tone, icon(name, 16), thing.get_state_display()
    )


@register.simple_tag
def progress(done, total):
    """A bar with its figures, for example 7 of 12. Sized by SVG attributes, because inline style is not allowed."""
    done, total = done or 0, total or 0
    share = round(100 * min(done, total) / total) if total else 0
    words = _("%(done)s of %(total)s") % {"done": done, "total": total}
    return format_html(
        '<span class="progress"><svg class="progress-bar" viewBox="0 0 100 4" preserveAspectRatio="none" '
        'aria-hidden="true"><rect class="progress-track" width="100" height="4"/>'
        '<rect class="progress-done{}" width="{}" height="4"/></svg><span class="progress-text">{}</span></span>',
        " is-full" if total and done >= total else "",
        share,
        words,
    )


@register.filter
def signed(value):
    """A difference with its sign: +2, −7.2 or 0."""
    size = abs(value)
    return ("+" if value > 0 else "−" if value < 0 else "") + localize(
        int(size) if size == int(size) else size
    )


@register.simple_tag
def bar(share):
    """A bar of so many percent beside a figure that says the same."""
    return format_html(
        '<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bar-track" width="100" height="4"/><rect class="bar-done" width="{}" height="4"/></svg>',
        str(share),  # as SVG writes it, whatever the language
    )


@register.simple_tag
def field(bound):
    """A form field with label, help and errors, tied together for screen readers."""
    attributes = {}
    notes = [f"{bound.id_for_label}-help"] if bound.help_text else []
    if bound.errors:
        notes.append(f"{bound.id_for_label}-error")
        attributes["aria-invalid"] = "true"
    if notes:
        attributes["aria-describedby"] = " ".join(notes)
    widget = bound.as_widget(attrs=attributes)
    if bound.is_hidden:
        return widget
    label = format_html('<label for="{}">{}</label>', bound.id_for_label, bound.label)
    # A field may be needed for something and yet be left out for now.
    is_needed = bound.field.required or getattr(bound.field, "is_needed", False)
    optional = (
        ""
        if is_needed or isinstance(bound.field.widget, CheckboxInput)
        else format_html(' <span class="muted">{}</span>', pgettext("field", "optional"))
    )
    help_text = (
        format_html('<span class="help" id="{}-help">{}</span>', bound.id_for_label, bound.help_text)
        if bound.help_text
        else ""
    )
    errors = (
        format_html(
            '<span class="error" id="{}-error">{} {}</span>',
            bound.id_for_label,
            icon("circle-x", 18),
            " ".join(bound.errors),
        )
        if bound.errors
        else ""
    )
    if isinstance(bound.field.widget, CheckboxInput):
        return format_html('<div class="field field-check">{}{}{}{}</div>', widget, label, help_text, errors)
    return format_html(
        '<div class="field"><span class="label">{}{}</span>{}{}{}</div>',
        label,
        optional,
        widget,
        help_text,
        errors,
    )


@register.simple_tag
def form_fields(form):
    """Every field of a form, and above them what is wrong with the form as a whole."""
    problems = form.non_field_errors()
    above = (
        format_html(
            '<p class="notice notice-bad" role="alert">{}<span>{}</span></p>',
            icon("circle-x"),
            " ".join(problems),
        )
        if problems
        else ""
    )
    return format_html("{}{}", above, format_html_join("", "{}", ((field(bound),) for bound in form)))


@register.filter
def whole(value):
    """A number that no line end breaks at its hyphens, unless it is longer than a line."""
    return format_html('<span class="whole">{}</span>', value)


@register.filter
def iso_day(text):
    """A day that is kept as text, as people write it here."""
    return date_format(datetime.date.fromisoformat(text), "SHORT_DATE_FORMAT")


@register.filter
def grams(value):
    """A weight for people: grams, from a kilogram on kilograms."""
    if value is None:
        return "–"
    if value < 1000:
        return f"{value} g"
    kilograms = f"{value / 1000:.2f}".rstrip("0").rstrip(".")
    return f"{kilograms.replace('.', _decimal_point())} kg"


def _decimal_point():
    return pgettext("decimal separator", ".")


@register.filter
def entity_name(change):
    """What kind of thing a status change is about, for example "Pick job"."""
    return capfirst(apps.get_model(change.entity)._meta.verbose_name)


# What was done to a thing whose status stayed.
STEPS = {
    "accept": gettext_lazy("Accepted"),
    "allow": gettext_lazy("Return allowed"),
    "announce": gettext_lazy("Announced"),
    "assign": gettext_lazy("Assigned"),
    "book": gettext_lazy("Booked"),
    "change contents": gettext_lazy("Contents changed"),
    "close_day": gettext_lazy("Day closed at the carrier"),
    "comment": gettext_lazy("Comment"),
    "count": gettext_lazy("Counted"),
    "decide_line": gettext_lazy("Decided"),
    "extend_promise": gettext_lazy("Promised for longer"),
    "fetch": gettext_lazy("Fetched"),
    "forbid": gettext_lazy("Return not allowed"),
    "hold": gettext_lazy("Held back"),
    "identify": gettext_lazy("Identity checked"),
    "load": gettext_lazy("Loaded"),
    "load units": gettext_lazy("Totes changed"),
    "move_missing": gettext_lazy("Missing units noted"),
    "merge": gettext_lazy("Lines merged"),
    "modify": gettext_lazy("Changed"),
    "move": gettext_lazy("Units moved"),
    "plan": gettext_lazy("Planned"),
    "put": gettext_lazy("Put away"),
    "receive": gettext_lazy("Received"),
    "record": gettext_lazy("Details recorded"),
    "refund": gettext_lazy("Refund asked for"),
    "reject": gettext_lazy("Rejected"),
    "remove_job": gettext_lazy("Job taken out"),
    "correct_numbers": gettext_lazy("Numbers corrected"),
    "seen_by_carrier": gettext_lazy("Seen by the carrier"),
    "put package": gettext_lazy("Place of a package noted"),
    "report_missing": gettext_lazy("Missing units reported"),
    "set code": gettext_lazy("Code set"),
    "set_target_time": gettext_lazy("Other target time"),
    "split": gettext_lazy("Split"),
    "take_payment": gettext_lazy("Payment taken"),
    "take_out": gettext_lazy("Taken out of the return"),
    "take_off": gettext_lazy("Taken off the load"),
    "unhold": gettext_lazy("Released"),
    "wrong_pin": gettext_lazy("Wrong PIN"),
}


@register.filter
def status_name(change):
    """The status a thing came to, in words; what was done to it where the status stayed."""
    if change.before == change.after:
        return str(STEPS.get(change.action, _("Changed")))
    choices = dict(apps.get_model(change.entity)._meta.get_field("status").flatchoices)
    return choices.get(change.after, change.after)
