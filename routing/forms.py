from django import forms
from django.utils.translation import gettext_lazy as _

from fulfillment.core.models import Facility


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
