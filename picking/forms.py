import uuid

from django import forms
from django.utils.translation import gettext_lazy as _

from .models import PickJob, ScanEvent, ShortReason


class FindForm(forms.Form):
    q = forms.CharField(
        label=_("Scan or search"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"autocomplete": "off", "type": "search"}),
    )
    status = forms.ChoiceField(
        label=_("Status"),
        required=False,
        choices=[("", _("Open work")), *PickJob.Status.choices],
    )


class ActionForm(forms.Form):
    """One action of the pick screen, from a plain form or as JSON. The id makes it happen once."""

    id = forms.UUIDField()
    kind = forms.ChoiceField(choices=ScanEvent.Kind.choices)
    job = forms.UUIDField()
    line = forms.UUIDField(required=False)
    code = forms.CharField(required=False, max_length=200)
    quantity = forms.IntegerField(required=False, min_value=0, max_value=100_000)
    reason = forms.ChoiceField(required=False, choices=[("", ""), *ShortReason.choices])
    at = forms.DateTimeField(required=False)

    def clean_code(self):
        code = self.cleaned_data["code"]
        if "\x00" in code:
            raise forms.ValidationError(_("A code has no such characters."))
        return code

    def clean(self):
        data = super().clean()
        if data.get("kind") == ScanEvent.Kind.SCAN and not data.get("code", "").strip():
            self.add_error("code", _("Scan or type a code."))
        return data


class ScanForm(forms.Form):
    """The scan field of the page."""

    code = forms.CharField(
        label=_("Scan or type"),
        max_length=200,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "off",
                "spellcheck": "false",
                "enterkeyhint": "done",
                "autofocus": True,
                "data-scan": True,
            }
        ),
    )


def new_action_id():
    """An id for a form of the page: sending the form twice books once."""
    return uuid.uuid4()
