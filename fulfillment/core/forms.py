from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .models import ApiToken, PairedDevice, User
from .queries import find_article, find_location
from .services.stock import MOST_UNITS


class FirstErrorFocus:
    """Puts the cursor into the first field that has an error, else into the first field."""

    def focus(self):
        names = [name for name in self.fields if self.is_bound and name in self.errors]
        wanted = names[0] if names else next(iter(self.fields))
        self.fields[wanted].widget.attrs["autofocus"] = True
        return self


class AssignForm(forms.Form):
    """For whom a job is."""

    users = forms.ModelMultipleChoiceField(
        User.objects.none(), label=_("Assigned to"), required=False, widget=forms.CheckboxSelectMultiple
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args, people, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["users"].queryset = people

    @classmethod
    def of(cls, job, people):
        """Filled with whom a job is meant for now."""
        return cls(people=people, initial={"users": job.assigned_users.all(), "version": job.version})


class SearchForm(forms.Form):
    use_required_attribute = False

    q = forms.CharField(
        label=_("SKU, title, code or location"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "type": "search"}),
    )


class GoodsReceiptForm(FirstErrorFocus, forms.Form):
    """Units of an article that arrived. A carton code counts its units for each one entered."""

    article = forms.CharField(
        label=_("SKU or scanned code"), max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    units = forms.IntegerField(
        label=_("Units"),
        min_value=1,
        max_value=MOST_UNITS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    location = forms.CharField(
        label=_("Storage location"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Name or scanned code; empty when it has no place yet."),
    )
    expires_on = forms.DateField(
        label=_("Expires on"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    reason = forms.CharField(
        label=_("Delivery note or remark"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args, facility, **options):
        super().__init__(*args, **options)
        self.facility = facility

    def clean_article(self):
        article, self.units_per_code = find_article(self.cleaned_data["article"])
        if article is None:
            raise forms.ValidationError(
                _("No article has the SKU or code %(code)s."), params={"code": self.cleaned_data["article"]}
            )
        return article

    def clean_location(self):
        text = self.cleaned_data["location"].strip()
        if not text:
            return None
        location = find_location(self.facility, text)
        if location is None:
            raise forms.ValidationError(
                _("%(facility)s has no storage location %(name)s."),
                params={"facility": self.facility, "name": text},
            )
        return location

    def clean_expires_on(self):
        day = self.cleaned_data["expires_on"]
        if day and day < timezone.localdate():
            raise forms.ValidationError(_("This day is in the past."))
        return day

    def clean(self):
        data = self.cleaned_data
        if "article" in data and "units" in data:
            data["units"] *= self.units_per_code
            if data["units"] > MOST_UNITS:
                self.add_error("units", _("At most %(most)s units at once.") % {"most": MOST_UNITS})
        return data


class StockCorrectionForm(FirstErrorFocus, forms.Form):
    """The counted value of a stock row; ``seen`` is the value the person was shown."""

    value = forms.IntegerField(
        label=_("Counted units"),
        min_value=0,
        max_value=MOST_UNITS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "reasons"}),
    )
    seen = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class PreferencesForm(forms.ModelForm):
    """How the screens are for a person."""

    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=settings.LANGUAGES,
    )

    class Meta:
        model = User
        fields = ["language", "theme", "text_size", "is_left_handed", "has_sound", "has_vibration"]

    def __init__(self, *args, of_device, **kwargs):
        super().__init__(*args, **kwargs)
        names = dict(settings.LANGUAGES)
        own = _("As the device (%(language)s)") % {"language": names.get(of_device, of_device)}
        self.fields["language"].choices = [("", own), *settings.LANGUAGES]

    def save(self, commit=True):
        self.instance.save(update_fields=self._meta.fields)
        return self.instance


class PinForm(forms.Form):
    pin = forms.CharField(
        label=_("New PIN"),
        required=False,
        max_length=6,
        help_text=_("Six digits; empty: none. It works on shared devices only."),
        widget=forms.PasswordInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


class DeviceForm(forms.ModelForm):
    """A device that several people share."""

    class Meta:
        model = PairedDevice
        fields = ["name", "lock_minutes"]


class EnterForm(forms.Form):
    """A badge, or a name and a PIN."""

    badge = forms.CharField(
        label=_("Scan your badge"),
        required=False,
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "off", "data-scan": True, "autofocus": True}
        ),
    )
    who = forms.TypedChoiceField(label=_("Or choose your name"), required=False, coerce=int, empty_value=None)
    pin = forms.CharField(
        label=_("PIN"),
        required=False,
        max_length=6,
        widget=forms.PasswordInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, *args, people, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["who"].choices = [("", "–"), *((user.pk, str(user)) for user in people)]
        for field in self.fields.values():
            field.is_needed = True  # one or the other

    def clean(self):
        data = super().clean()
        if not data.get("badge") and not (data.get("who") and data.get("pin")):
            raise forms.ValidationError(_("Scan the badge, or choose your name and enter the PIN."))
        return data


class ShopForm(FirstErrorFocus, forms.Form):
    """A new API token of a shop."""

    channel = forms.CharField(
        label=_("Sales channel"),
        max_length=100,
        help_text=_("The shop or marketplace that the orders come from. A new name makes a new channel."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "channels"}),
    )
    name = forms.CharField(
        label=_("Name of the token"),
        max_length=100,
        help_text=_("Which program uses it, for example “Web shop, production”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=ApiToken.Scope.choices,
        initial=[ApiToken.Scope.READ, ApiToken.Scope.ORDERS],
        widget=forms.CheckboxSelectMultiple,
    )
    is_sandbox = forms.BooleanField(
        label=_("Only for trying"),
        required=False,
        help_text=_("Orders are checked, kept and answered, but no facility gets them."),
    )

    def clean(self):
        data = super().clean()
        if data.get("is_sandbox") and set(data.get("scopes", ())) - ApiToken.SANDBOX_SCOPES:
            self.add_error("scopes", _("A sandbox token reads and sends orders; stock and work are real."))
        return data
