from django import forms
from django.utils.translation import gettext_lazy as _

from fulfillment.core.countries import validate_country

from .booking import NUMBER, NumberNotUsable
from .models import HandoverJob, Shipment


class FindForm(forms.Form):
    q = forms.CharField(
        label=_("Scan or search"),
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("Open work")), *Shipment.Status.choices]
    )


class ScanOutForm(forms.Form):
    """A parcel code, a tracking number, or the short id of what a customer collects."""

    code = forms.CharField(
        label=_("Scan a parcel, or type a short id"),
        max_length=120,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "autofocus": True}
        ),
    )

    def clean_code(self):
        return self.cleaned_data["code"].strip()


class RecipientForm(forms.Form):
    """The address on the label. The limits are those that carriers have in common."""

    first_name = forms.CharField(label=_("First name"), max_length=50, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=50, required=False)
    company = forms.CharField(label=_("Company"), max_length=50, required=False)
    addition = forms.CharField(label=_("Addition"), max_length=50, required=False)
    street = forms.CharField(label=_("Street"), max_length=50)
    house_number = forms.CharField(label=_("House number"), max_length=10, required=False)
    postal_code = forms.CharField(label=_("Postal code"), max_length=12)
    city = forms.CharField(label=_("City"), max_length=40)
    country = forms.CharField(label=_("Country"), max_length=2, validators=[validate_country])

    def clean(self):
        data = super().clean()
        if not any(data.get(name) for name in ("first_name", "last_name", "company")):
            self.add_error("last_name", _("Give a name or a company."))
        return data


class NumberForm(forms.Form):
    number = forms.CharField(
        label=_("Tracking number"), max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def clean_number(self):
        if not NUMBER.fullmatch(self.cleaned_data["number"]):
            raise forms.ValidationError(NumberNotUsable.text)
        return self.cleaned_data["number"]


class CancelForm(forms.Form):
    reason = forms.ChoiceField(
        label=_("Reason"),
        choices=[
            (choice.value, choice.label)
            for choice in (
                HandoverJob.CancelReason.CONSUMER_NO_SHOW,
                HandoverJob.CancelReason.CONSUMER_REJECTS,
            )
        ],
    )


class RevertForm(forms.Form):
    reason = forms.CharField(label=_("Why is it taken back?"), max_length=200)


class RefusedForm(forms.Form):
    """Units of each line that the customer does not take, and why."""

    def __init__(self, *args, lines, **kwargs):
        super().__init__(*args, **kwargs)
        self.lines = list(lines)
        for line in self.lines:
            self.fields[f"units-{line.pk}"] = forms.IntegerField(
                label=_("Refused"), min_value=0, max_value=line.quantity, initial=0, required=False
            )
            self.fields[f"reason-{line.pk}"] = forms.CharField(
                label=_("Reason"), max_length=100, required=False
            )

    def clean(self):
        data = super().clean()
        for line in self.lines:
            if data.get(f"units-{line.pk}") and not data.get(f"reason-{line.pk}"):
                self.add_error(f"reason-{line.pk}", _("Say why."))
        return data

    @property
    def rows(self):
        """(line, field of its units, field of its reason) for the template."""
        return [(line, self[f"units-{line.pk}"], self[f"reason-{line.pk}"]) for line in self.lines]

    @property
    def refused(self):
        return {
            line.pk: (
                self.cleaned_data.get(f"units-{line.pk}") or 0,
                self.cleaned_data.get(f"reason-{line.pk}", ""),
            )
            for line in self.lines
        }
