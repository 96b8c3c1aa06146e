from django import forms
from django.utils.translation import gettext_lazy as _

from .loads import CountDiffers
from .signatures import SignatureField, keep_drawn


class ScanForm(forms.Form):
    """One scan at the door, as JSON. The id makes it happen once."""

    id = forms.UUIDField()
    load = forms.UUIDField()
    code = forms.CharField(max_length=200)
    at = forms.DateTimeField(required=False)


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Scan a parcel"),
        max_length=200,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "off",
                "spellcheck": "false",
                "autofocus": True,
                "data-scan": True,
            }
        ),
    )


class CloseForm(forms.Form):
    """What the driver says and signs."""

    driver_name = forms.CharField(
        label=_("Name of the driver"), max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    counted = forms.IntegerField(
        label=_("Parcels that the driver counted"),
        min_value=0,
        max_value=100_000,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    signature = SignatureField(label=_("Signature of the driver"), required=False)
    is_signed_on_paper = forms.BooleanField(label=_("Signed on paper instead"), required=False)

    def __init__(self, *args, load, **kwargs):
        super().__init__(*args, **kwargs)
        self.load = load
        self.fields["signature"].is_needed = True  # type: ignore[attr-defined] # here, or on paper

    def clean_counted(self):
        """Said here already, so that nobody signs twice because of it; closing looks again under its lock."""
        counted, loaded = self.cleaned_data["counted"], self.load.loaded.count()
        if counted != loaded:
            raise forms.ValidationError(CountDiffers(counted=counted, loaded=loaded).message)
        return counted

    def clean(self):
        data = super().clean()
        if (
            not data.get("signature")
            and not data.get("is_signed_on_paper")
            and "signature" not in self.errors
        ):
            self.add_error("signature", _("The driver signs here, or on paper."))
        keep_drawn(self)
        return data


class ReopenForm(forms.Form):
    reason = forms.CharField(label=_("Why is it taken back?"), max_length=200)
