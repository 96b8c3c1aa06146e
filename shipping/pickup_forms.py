from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from packing.models import Package

from .signatures import SignatureField


class PinForm(forms.Form):
    use_required_attribute = False

    pin = forms.CharField(
        label=_("PIN, or scan the QR code"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True, "inputmode": "numeric"}),
    )

    def clean_pin(self):
        return self.cleaned_data["pin"].replace(" ", "")


class VouchForm(forms.Form):
    reason = forms.CharField(label=_("How do you know who collects?"), max_length=200)


class PlaceForm(forms.Form):
    place = forms.CharField(
        label=_("Where the goods stand"),
        max_length=40,
        required=False,
        validators=[RegexValidator(r"^[^\0]*$")],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    package = forms.ModelChoiceField(
        Package.objects.none(), label=_("Package"), required=False, empty_label=_("All packages")
    )

    def __init__(self, *args, job, **kwargs):
        super().__init__(*args, **kwargs)
        packages = Package.objects.filter(job__pick_job=job.pick_job_id)
        if len(packages) > 1:
            self.fields["package"].queryset = packages
            self.fields["package"].label_from_instance = lambda package: (
                _("Package %(number)s") % {"number": package.number}
            )
        else:
            del self.fields["package"]


class PackageForm(forms.Form):
    code = forms.CharField(
        label=_("Scan a package"),
        max_length=120,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "autofocus": True}
        ),
    )


class SeenForm(forms.Form):
    """What the facility asks a customer for, beside PIN or code; and the payment of goods that are not paid."""

    is_payment_taken = forms.BooleanField(
        label=_("I have taken the payment"),
        error_messages={"required": _("Take the payment and confirm it before you give the goods.")},
    )
    is_id_seen = forms.BooleanField(label=_("I have seen the identity card"), required=False)
    is_age_checked = forms.BooleanField(label=_("I have checked the age"), required=False)
    signature = SignatureField(label=_("Signature of the customer"), required=False)
    is_signed_on_paper = forms.BooleanField(label=_("Signed on paper instead"), required=False)

    def __init__(self, *args, asked, is_paid, **kwargs):
        super().__init__(*args, **kwargs)
        if is_paid:
            del self.fields["is_payment_taken"]
        if not asked.asks_for_id:
            del self.fields["is_id_seen"]
        if not asked.asks_for_age:
            del self.fields["is_age_checked"]
        if not asked.asks_for_signature:
            del self.fields["signature"], self.fields["is_signed_on_paper"]
