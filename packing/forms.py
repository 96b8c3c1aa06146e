from django import forms
from django.utils.translation import gettext_lazy as _

from .services import MOST_GRAMS, MOST_PACKAGES
from .weights import is_unlikely


class FindForm(forms.Form):
    use_required_attribute = False

    code = forms.CharField(
        label=_("Scan a job, order or article"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
    )


class ShownForm(forms.Form):
    """What the address of the pack page may say: the current package, and the last step, which can be undone."""

    package = forms.IntegerField(required=False, min_value=1, max_value=MOST_PACKAGES)
    line = forms.UUIDField(required=False)
    units = forms.IntegerField(required=False, min_value=1, max_value=100_000)


class PackageForm(forms.Form):
    package = forms.UUIDField(required=False, widget=forms.HiddenInput)


class ScanForm(forms.Form):
    code = forms.CharField(
        label=_("Scan an article"),
        max_length=200,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autofocus": True, "inputmode": "text", "data-scan": True}
        ),
    )
    package = forms.UUIDField(widget=forms.HiddenInput)


class QuantityForm(forms.Form):
    """Units of a line that go into or come out of a package."""

    quantity = forms.IntegerField(label=_("Units"), min_value=1, max_value=100_000)
    package = forms.UUIDField(widget=forms.HiddenInput)


class WeightForm(forms.Form):
    """The weight of a package. One that does not fit its articles has to be confirmed."""

    grams = forms.IntegerField(
        label=_("Weight in grams"),
        min_value=1,
        max_value=MOST_GRAMS,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args, expected, **options):
        super().__init__(*args, **options)
        self.expected = expected
        self.doubtful = False

    def clean(self):
        grams = self.cleaned_data.get("grams")
        if grams and not self.cleaned_data["confirmed"] and is_unlikely(grams, self.expected):
            self.doubtful = True
            self.add_error(
                "grams",
                _("The articles weigh about %(expected)s g. Check the package, or confirm %(grams)s g.")
                % {"expected": self.expected, "grams": grams},
            )
        return self.cleaned_data
