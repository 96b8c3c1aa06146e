from django import forms
from django.utils.translation import gettext_lazy as _

from fulfillment.core.models import Carrier, User
from orders.models import Order

from .models import PickJob


class FindForm(forms.Form):
    """What of the list of pick jobs is wanted. Choices that a facility has not are not asked."""

    q = forms.CharField(
        label=_("Scan or search"),
        required=False,
        max_length=100,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "type": "search",
                "placeholder": _("Order, short id, customer or article"),
            }
        ),
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("Open work")), *PickJob.Status.choices]
    )
    kind = forms.ChoiceField(
        label=_("Kind"), required=False, choices=[("", _("All kinds")), *Order.Kind.choices]
    )
    whose = forms.ChoiceField(
        label=_("Assigned"),
        required=False,
        choices=[("", _("Everybody's")), ("mine", _("Mine")), ("nobody", _("Nobody's"))],
    )

    def __init__(self, *args, facility, **kwargs):
        super().__init__(*args, **kwargs)
        carriers = Carrier.objects.filter(facilities__facility=facility).distinct()
        self._offer("zone", _("Zone"), _("All zones"), facility.zones.order_by("name"))
        self._offer("carrier", _("Carrier"), _("All carriers"), carriers.order_by("name"))

    def _offer(self, name, label, everything, things):
        """A choice of things, read once; none when there are none."""
        found = {str(thing.pk): thing for thing in things}
        if found:
            choices = [("", everything), *((key, thing.name) for key, thing in found.items())]
            self.fields[name] = forms.TypedChoiceField(
                label=label, required=False, choices=choices, coerce=found.get, empty_value=None
            )


class PlanForm(forms.Form):
    """For whom a job is, and how urgent."""

    users = forms.ModelMultipleChoiceField(
        User.objects.none(),
        label=_("Assigned to"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    priority = forms.TypedChoiceField(label=_("Priority"), choices=PickJob.Priority.choices, coerce=int)
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args, pickers, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["users"].queryset = pickers


class HoldForm(forms.Form):
    reason = forms.CharField(
        label=_("Held because"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
