"""Forms of connections: each kind brings its own fields."""

import copy
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from fulfillment.core.countries import COUNTRIES

from .addresses import Address, is_country
from .drafts import DROP, KEEP, REPAIRABLE, Action
from .fields import TableField
from .kind import COMMON
from .models import Connection
from .registry import KINDS

UNCHANGED = _("Empty: stays as it is.")


def _text(label):
    return forms.CharField(
        label=label, required=False, max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


ADDRESS: dict[str, forms.Field] = {
    "first_name": _text(_("First name")),
    "last_name": _text(_("Last name")),
    "company": _text(_("Company")),
    "street": _text(_("Street")),
    "house_number": _text(_("House number")),
    "addition": _text(_("Addition")),
    "postal_code": _text(_("Postal code")),
    "city": _text(_("City")),
    "country": forms.ChoiceField(
        label=_("Country"),
        required=False,
        choices=lambda: [("", "–"), *sorted(COUNTRIES.items(), key=lambda row: str(row[1]))],
    ),
}


class ConnectionForm(forms.ModelForm):
    """Name, channel and the settings of the kind. Credentials are written and never shown."""

    class Meta:
        model = Connection
        fields = ["name", "channel", "watermark", "keep_raw_days"]

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        if self.kind is None:
            return
        stored = self.instance.credentials if self.instance.pk and self.instance.secrets else {}
        for name, field in self.kind.settings_of_form().items():
            self.fields[name] = field
            self.initial.setdefault(name, self.instance.settings.get(name, field.initial))
        for name, field in self.kind.credentials_of_form().items():
            field.widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
            if stored.get(name):
                field.required, field.help_text = False, f"{field.help_text} {UNCHANGED}".strip()
            self.fields[name] = field

    @property
    def kind(self):
        return KINDS.get(self.instance.kind)

    def clean_default_method(self):
        return check_method(self, self.cleaned_data["default_method"])

    def clean(self):
        data = super().clean()
        for name in ("base_url", "auth_url", "queue_url"):
            if data.get(name):
                check_address(data[name])
        return data

    def save(self, commit=True):
        connection = self.instance
        connection.settings = {
            **connection.settings,
            **{name: self.cleaned_data[name] for name in self.kind.fields if name in self.cleaned_data},
        }
        typed = {
            name: self.cleaned_data[name].strip()
            for name in self.kind.credentials
            if self.cleaned_data.get(name)
        }
        if typed:
            stored = connection.credentials if connection.secrets else {}
            # What the source gave for the old ones is worth nothing for the new ones.
            connection.credentials, connection.token_store = {**stored, **typed}, {}
        return super().save(commit)


def check_address(url):
    """Only https, so that credentials are not read on the way; this machine may do without for trying."""
    host = urlsplit(url).hostname
    is_local = settings.WEBHOOK_LOOPBACK_ALLOWED and host in {"localhost", "127.0.0.1", "::1"}
    if not host or not (url.startswith("https://") or (is_local and url.startswith("http://"))):
        raise ValidationError(_("%(url)s must begin with https://."), params={"url": url})


class CorrectionForm(forms.Form):
    """The content of a parked delivery."""

    content = forms.CharField(
        label=_("Content"),
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={"rows": 16, "spellcheck": "false", "autocomplete": "off", "class": "mono"}
        ),
        help_text=_("What the shop sent. Change what is wrong; what came is kept beside it."),
    )


class RepairForm(forms.Form):
    """The parts of an address and the SKUs that parked drafts lack."""

    use_required_attribute = False

    def __init__(self, *args, drafts, **options):
        super().__init__(*args, **options)
        self.parts = []
        for index, draft in enumerate(drafts):
            if draft.action != Action.PARK or draft.reason.code not in REPAIRABLE:
                continue
            address = draft.address or Address()
            is_whole = bool(draft.strays) or (
                not address.missing and is_country(address.country) and draft.reason.code != "ADDRESS_HIDDEN"
            )
            names = {} if is_whole else {name: f"{index}-{name}" for name in ADDRESS}
            for name, key in names.items():
                self.fields[key] = copy.deepcopy(ADDRESS[name])
                self.fields[key].is_needed = name in address.missing  # type: ignore[attr-defined]
                self.initial[key] = getattr(address, name)
            if names and not is_country(address.country):
                self.initial[names["country"]] = ""
            found: dict[str, dict[str, str]] = {"address": names}
            for line in draft.lines:
                for name, field in _fields_of(line):
                    key = f"{index}-{name}-{line.line_id}"
                    self.fields[key] = field
                    field.is_needed = True  # type: ignore[attr-defined]
                    found.setdefault(name, {})[line.line_id] = key
            for line in draft.strays:
                key = f"{index}-places-{line.line_id}"
                self.fields[key] = _place_of(line, draft.parts)
                found.setdefault("places", {})[line.line_id] = key
            self.parts.append((draft.group, found))

    def corrections(self):
        """What was typed, as of ``drafts.repair``."""
        typed = self.cleaned_data
        return {
            group: {
                name: {of: typed[key] for of, key in keys.items() if name == "address" or typed[key]}
                for name, keys in found.items()
            }
            for group, found in self.parts
        }


def _place_of(line, parts):
    """Where a line goes that does not say it: one of the addresses of the order."""
    choices = [
        ("", _("Not decided yet")),
        *((part.group, _label(part.address or Address())) for part in parts),
    ]
    title = {"units": line.quantity, "title": line.title or line.line_id}
    field = forms.ChoiceField(
        label=_("Where %(units)s × “%(title)s” goes") % title, required=False, choices=choices
    )
    field.is_needed = True  # type: ignore[attr-defined]
    return field


def _label(address):
    street = f"{address.street} {address.house_number}".strip()
    return ", ".join(
        filter(None, (address.full_name, street, f"{address.postal_code} {address.city}".strip()))
    )


def _fields_of(line):
    """(name in the corrections, form field) for each thing that a line lacks."""
    title = {"title": line.title or line.line_id}
    if not line.sku:
        field: forms.Field = forms.CharField(
            label=_("SKU of “%(title)s”") % title, required=False, max_length=255
        )
        yield "skus", field
    if line.quantity is None:
        label = _("Units of “%(title)s”") % title
        yield "quantities", forms.IntegerField(label=label, required=False, min_value=1, max_value=100_000)
    if line.is_doubtful:
        yield (
            "decisions",
            forms.ChoiceField(
                label=_("“%(title)s”: the customer wants to cancel it") % title,
                required=False,
                choices=[
                    ("", _("Not decided yet")),
                    (DROP, _("Leave it out")),
                    (KEEP, _("Ship it all the same")),
                ],
                help_text=_("The shop is not told of it from here: confirm the cancellation there."),
            ),
        )


class TablesForm(forms.Form):
    """What operators may change of a connection, without its credentials."""

    NAMES = ["delivery_methods", "default_method", "facilities", "carriers", "fallback_sku"]

    use_required_attribute = False

    def __init__(self, *args, connection, **options):
        super().__init__(*args, **options)
        fields = copy.deepcopy({name: COMMON[name] for name in self.NAMES})
        for name, field in fields.items():
            self.fields[name] = field
            self.initial[name] = connection.settings.get(name, field.initial)

    def clean_default_method(self):
        return check_method(self, self.cleaned_data["default_method"])


def check_method(form, word):
    TableField(prefixes=form.fields["delivery_methods"].prefixes).to_python(f"x = {word}")
    return word


class KindForm(forms.Form):
    """Which source a new connection is for."""

    kind = forms.ChoiceField(
        label=_("Source"), choices=lambda: [(key, kind.label) for key, kind in KINDS.items()]
    )
