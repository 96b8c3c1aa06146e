from django import forms
from django.utils.translation import gettext_lazy as _

from fulfillment.core.countries import validate_country
from fulfillment.core.models import Facility

from .explanations import rule_description, rule_label
from .rules import FENCES, MAX_WEIGHT, RATINGS


class WeightsForm(forms.Form):
    """The weights and fences of the draft, one field each: ``rating-<id>`` and ``fence-<id>``."""

    def __init__(self, *args, draft, **kwargs):
        super().__init__(*args, **kwargs)
        self.ratings = list(draft.ratings.all())
        self.fences = list(draft.fences.all())
        for rating in self.ratings:
            self.fields[f"rating-{rating.pk}"] = forms.DecimalField(
                label=rule_label(RATINGS, rating.use),
                min_value=0,
                max_value=MAX_WEIGHT,
                decimal_places=2,
                initial=f"{float(rating.weight):g}" if rating.is_active else 0,
                widget=forms.NumberInput(attrs={"step": "0.5", "inputmode": "decimal", "class": "input"}),
            )
        for fence in self.fences:
            self.fields[f"fence-{fence.pk}"] = forms.BooleanField(
                label=rule_label(FENCES, fence.use), required=False, initial=fence.is_active
            )

    @property
    def rating_fields(self):
        """(field, what it means) of every rating."""
        return [(self[f"rating-{one.pk}"], rule_description(RATINGS, one.use)) for one in self.ratings]

    @property
    def fence_fields(self):
        """(field, what it means) of every fence."""
        return [(self[f"fence-{one.pk}"], rule_description(FENCES, one.use)) for one in self.fences]

    @property
    def weights(self):
        """``{rating id: weight}``"""
        return {one.pk: self.cleaned_data[f"rating-{one.pk}"] for one in self.ratings}

    @property
    def active_fences(self):
        """``{fence id: whether it is active}``"""
        return {one.pk: self.cleaned_data[f"fence-{one.pk}"] for one in self.fences}


class PublishForm(forms.Form):
    comment = forms.CharField(label=_("What is changed and why"), required=False, max_length=200)


class AddressForm(forms.Form):
    """Where the parcel of an order goes."""

    street = forms.CharField(label=_("Street"), max_length=100)
    house_number = forms.CharField(label=_("House number"), max_length=20, required=False)
    postal_code = forms.CharField(label=_("Postal code"), max_length=20)
    city = forms.CharField(label=_("City"), max_length=100)
    country = forms.CharField(
        label=_("Country"),
        min_length=2,
        max_length=2,
        validators=[validate_country],
        help_text=_("Like NL or DE."),
    )

    @property
    def wire(self):
        """The fields as the order keeps them."""
        names = {"house_number": "houseNumber", "postal_code": "postalCode"}
        return {names.get(name, name): value for name, value in self.cleaned_data.items()}


class AssignForm(forms.Form):
    """A facility for what waits of an order."""

    facility = forms.ModelChoiceField(
        Facility.objects.online(), label=_("Facility"), empty_label=_("Choose a facility")
    )
    is_partly = forms.BooleanField(
        label=_("Take what it has"),
        required=False,
        help_text=_("The rest goes on waiting."),
    )
