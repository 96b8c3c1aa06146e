from django import forms
from django.utils.translation import gettext_lazy as _

from fulfillment.overview.queries import ProcessStatus
from orders.models import Order


class OrderSearchForm(forms.Form):
    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=255,
        help_text=_("Number, recipient, SKU, tracking number or id"),
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("All")), *Order.Status.choices]
    )
    progress = forms.ChoiceField(
        label=_("Progress"), required=False, choices=[("", _("All")), *ProcessStatus.choices]
    )


class CancelForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(label=_("Reason"), required=False, max_length=300)
