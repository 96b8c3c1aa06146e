from django import forms
from django.utils.translation import gettext_lazy as _

from .models import ItemReturn, ReturnCondition, ReturnedItem, ReturnReason


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
