import uuid
from collections import Counter

from django import forms
from django.utils.translation import gettext_lazy as _

from fulfillment.core.codes import is_own_code

from .models import ItemReturn, ReturnCondition, ReturnedItem, ReturnReason
from .papers import RETURN_CODE_PREFIX
from .returns import Wanted


class ReturnScanForm(forms.Form):
    """What stands on the parcel or the slip, or who brought it."""

    code = forms.CharField(
        label=_("Scan the slip or the parcel"),
        max_length=120,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "autofocus": True}
        ),
        help_text=_("Or type order number, short id or name."),
    )

    def clean_code(self):
        return self.cleaned_data["code"].strip()


class ArticleScanForm(forms.Form):
    code = forms.CharField(
        label=_("Scan the article"),
        max_length=120,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "autofocus": True}
        ),
    )


class ReturnFindForm(forms.Form):
    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[("", _("Open work")), *ItemReturn.Status.choices]
    )


class ReceiveForm(forms.Form):
    """Units of one line; the button says in which condition they are."""

    action = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4, required=False)
    units = forms.IntegerField(
        label=_("Units"),
        min_value=1,
        max_value=ItemReturn.MOST_ITEMS,
        initial=1,
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    reason = forms.ModelChoiceField(
        ReturnReason.objects.none(), label=_("Why it comes back"), required=False, empty_label="–"
    )
    comment = forms.CharField(
        label=_("What is wrong with it"),
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args, most=ItemReturn.MOST_ITEMS, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["units"].widget.attrs["max"] = min(most, ItemReturn.MOST_ITEMS)
        self.fields["reason"].queryset = ReturnReason.objects.filter(is_active=True)


class ConditionForm(forms.Form):
    line = forms.UUIDField()
    condition = forms.ModelChoiceField(ReturnCondition.objects.none(), to_field_name="key")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["condition"].queryset = ReturnCondition.objects.filter(is_active=True)


class JudgeForm(forms.Form):
    """What becomes of units that are alike; the button says what."""

    items = forms.TypedMultipleChoiceField(coerce=str, error_messages={"invalid_choice": _("Scan again.")})
    decision = forms.ChoiceField(choices=[*ReturnedItem.Place.choices, ("REJECT", ""), ("TAKE_OUT", "")])
    reason = forms.CharField(
        label=_("Why?"),
        required=False,
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args, item_return, **kwargs):
        super().__init__(*args, **kwargs)
        ids = item_return.items.values_list("pk", flat=True)
        self.fields["items"].choices = [(str(pk), "") for pk in ids]


class SlipForm(forms.Form):
    """The code of a return slip, as a customer types it."""

    code = forms.CharField(
        label=_("Code on the return slip"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )

    def clean_code(self):
        code = "".join(self.cleaned_data["code"].split()).replace("-", "").upper()
        if not is_own_code(code, RETURN_CODE_PREFIX):
            raise forms.ValidationError(_("There is no return slip with this code. Look at it again."))
        return code


class AnnounceForm(forms.Form):
    """How many of each article a customer sends back, and why. Nothing else is asked."""

    def __init__(self, *args, job, announced, **kwargs):
        super().__init__(*args, **kwargs)
        items = list(announced.items.all()) if announced else []
        before = Counter(item.line_id for item in items)
        reasons = {item.line_id: item.reason_id for item in items}
        self.was_announced = bool(items)
        self.lines = [line for line in job.lines.all() if line.left] if job else []
        for line in self.lines:
            self.fields[f"units-{line.pk}"] = forms.IntegerField(
                label=_("You return"),
                min_value=0,
                max_value=min(line.left, ItemReturn.MOST_ITEMS),
                initial=before[line.pk],
                required=False,
                widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
            )
            self.fields[f"reason-{line.pk}"] = forms.ModelChoiceField(
                ReturnReason.objects.filter(is_active=True),
                label=_("Reason"),
                initial=reasons.get(line.pk),
                required=False,
                empty_label="–",
            )

    def clean(self):
        data = super().clean()
        if not self.errors and not self.was_announced and not any(one.units for one in self.wanted):
            raise forms.ValidationError(_("Say what comes back."))
        return data

    @property
    def rows(self):
        """(line, fields of its units and reason) for the template."""
        return [(line, self[f"units-{line.pk}"], self[f"reason-{line.pk}"]) for line in self.lines]

    @property
    def wanted(self):
        data = self.cleaned_data
        return [
            Wanted(line.pk, data.get(f"units-{line.pk}") or 0, data.get(f"reason-{line.pk}"))
            for line in self.lines
        ]
