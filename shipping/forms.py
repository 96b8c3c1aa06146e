from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from fulfillment.core.countries import validate_country
from fulfillment.core.errors import Refused

from . import uploads
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


class PrintForm(forms.Form):
    """The pack job whose document is printed, to come back to it."""

    job = forms.UUIDField(required=False, widget=forms.HiddenInput)


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


class CorrectionForm(RecipientForm):
    """What the carrier may have something against: the address, and the parcel itself."""

    PARCEL = ("weight_g", "length_mm", "width_mm", "height_mm", "product")

    weight_g = forms.IntegerField(label=_("Weight (g)"), min_value=1, max_value=1_000_000)
    length_mm = forms.IntegerField(label=_("Length (mm)"), min_value=1, max_value=100_000)
    width_mm = forms.IntegerField(label=_("Width (mm)"), min_value=1, max_value=100_000)
    height_mm = forms.IntegerField(label=_("Height (mm)"), min_value=1, max_value=100_000)
    product = forms.ChoiceField(label=_("Product of the carrier"), required=False)

    def __init__(self, *args, parcel, products, **kwargs):
        super().__init__(*args, **kwargs)
        choices = dict.fromkeys([parcel.product, *products.get(parcel.carrier_id, ())])
        self.fields["product"].choices = [(name, name or "–") for name in choices]
        if not any(choices):
            del self.fields["product"]

    @classmethod
    def asking(cls, parcel, products, **options):
        """The form as the carrier left it: filled in, with its words beside the fields."""
        data = {**parcel.shipment.recipient, **{name: getattr(parcel, name) for name in cls.PARCEL}}
        filled = {name: "" if value is None else value for name, value in data.items()}
        form = cls(filled, parcel=parcel, products=products, **options)
        form.full_clean()
        for name, text in parcel.problem.get("fields", []):
            if name in form.fields and text not in form.errors.get(name, []):
                form.add_error(name, gettext(text))
        return form

    @property
    def faulty(self):
        """The fields that something is wrong with."""
        return [bound for bound in self if bound.errors]

    @property
    def others(self):
        return [bound for bound in self if not bound.errors]

    @property
    def recipient(self):
        return {name: value for name, value in self.cleaned_data.items() if name not in self.PARCEL}

    @property
    def changes(self):
        return {name: self.cleaned_data[name] for name in self.PARCEL if name in self.cleaned_data}


class NumberForm(forms.Form):
    number = forms.CharField(
        label=_("Tracking number"), max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    label = forms.FileField(
        label=_("Label of the carrier"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".pdf,.zpl,.png,.jpg,.jpeg"}),
        help_text=_("PDF, ZPL or picture. Without it we draw a label of our own."),
    )

    def clean_number(self):
        if not NUMBER.fullmatch(self.cleaned_data["number"]):
            raise forms.ValidationError(NumberNotUsable.text)
        return self.cleaned_data["number"]

    def clean_label(self):
        """The file as a ``Doc``, by its content."""
        file = self.cleaned_data["label"]
        if not file:
            return None
        try:
            if file.size > uploads.MOST_BYTES:
                raise uploads.UploadTooLarge(most=uploads.MOST_BYTES // 1024 // 1024)
            return uploads.read_label(file.read())
        except Refused as refusal:
            raise forms.ValidationError(str(refusal.message)) from refusal


class CorrectNumbersForm(forms.Form):
    """Other numbers for a finished parcel."""

    number = forms.CharField(
        label=_("Tracking number"), max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    return_number = forms.CharField(
        label=_("Return number"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    tracking_url = forms.URLField(
        label=_("Tracking page"), max_length=500, required=False, assume_scheme="https"
    )
    reason = forms.CharField(label=_("Why is it corrected?"), max_length=200)

    def clean_number(self):
        return self._number("number")

    def clean_return_number(self):
        return self._number("return_number")

    def _number(self, name):
        text = self.cleaned_data[name]
        if text and not NUMBER.fullmatch(text):
            raise forms.ValidationError(NumberNotUsable.text)
        return text


class SettleForm(forms.Form):
    """The day of the comparison that somebody saw."""

    until = forms.DateField(widget=forms.HiddenInput)


def _units_of(line, label, initial):
    return forms.IntegerField(
        label=label, min_value=0, max_value=line.quantity, initial=initial, required=False
    )


class CancelForm(forms.Form):
    """Why a customer gets nothing, and what of it is not there to be put back."""

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

    def __init__(self, *args, lines, **kwargs):
        super().__init__(*args, auto_id="id_cancel_%s", **kwargs)
        for line in lines:
            label = _("%(title)s: not there") % {"title": line.title}
            self.fields[f"missing-{line.pk}"] = _units_of(line, label, line.missing)
        self.lines = list(lines)

    @property
    def missing(self):
        """``{line id: units}`` of the lines of which it was said."""
        said = {line.pk: self.cleaned_data.get(f"missing-{line.pk}") for line in self.lines}
        return {pk: units for pk, units in said.items() if units is not None}


class RevertForm(forms.Form):
    reason = forms.CharField(label=_("Why is it taken back?"), max_length=200)


class RefusedForm(forms.Form):
    """Units of each line that the customer does not take, and why; and those that are not there."""

    def __init__(self, *args, lines, **kwargs):
        super().__init__(*args, **kwargs)
        self.lines = list(lines)
        for line in self.lines:
            self.fields[f"units-{line.pk}"] = _units_of(line, _("Refused"), line.refused_units)
            said = line.refused[0] if line.refused else {}
            self.fields[f"reason-{line.pk}"] = forms.CharField(
                label=_("Reason"), max_length=100, initial=said.get("reason", ""), required=False
            )
            self.fields[f"comment-{line.pk}"] = forms.CharField(
                label=_("Comment"), max_length=200, required=False
            )
            self.fields[f"missing-{line.pk}"] = _units_of(line, _("Not there"), line.missing)

    def clean(self):
        data = super().clean()
        for line in self.lines:
            gone, refused = data.get(f"missing-{line.pk}") or 0, data.get(f"units-{line.pk}") or 0
            if gone + refused > line.quantity:
                self.add_error(
                    f"missing-{line.pk}", _("There are %(units)s in all.") % {"units": line.quantity}
                )
            if data.get(f"units-{line.pk}") and not data.get(f"reason-{line.pk}"):
                self.add_error(f"reason-{line.pk}", _("Say why."))
        return data

    @property
    def rows(self):
        """(line, fields of its units, reason, comment and missing units) for the template."""
        return [
            (line, *(self[f"{name}-{line.pk}"] for name in ("units", "reason", "comment", "missing")))
            for line in self.lines
        ]

    @property
    def missing(self):
        return {line.pk: self.cleaned_data.get(f"missing-{line.pk}") or 0 for line in self.lines}

    @property
    def refused(self):
        return {
            line.pk: (
                self.cleaned_data.get(f"units-{line.pk}") or 0,
                self.cleaned_data.get(f"reason-{line.pk}", ""),
                self.cleaned_data.get(f"comment-{line.pk}", ""),
            )
            for line in self.lines
        }
