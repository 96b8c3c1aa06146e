import uuid

from django import forms
from django.utils.translation import gettext_lazy as _

from fulfillment.core.codes import normalise
from fulfillment.core.models import Zone
from fulfillment.core.models.facility import ScanRule
from fulfillment.core.queries import find_location

from . import commands
from .load_units import MOST_AT_ONCE
from .models import LoadUnit, PickJob, PickRun, ScanEvent, ShortReason

SCANNED = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}


def find_place(facility, text):
    """The location of a facility that a scanned or typed code names.

    Raises:
        ValidationError: there is none.
    """
    code = normalise(text)
    location = find_location(facility, code)
    if location is None:
        raise forms.ValidationError(_("No place here has the code %(code)s."), params={"code": code})
    return location


class FindUnitForm(forms.Form):
    use_required_attribute = False

    code = forms.CharField(
        label=_("Scan a tote"), max_length=200, widget=forms.TextInput(attrs={**SCANNED, "autofocus": True})
    )


class NewUnitsForm(forms.Form):
    number = forms.IntegerField(
        label=_("How many"),
        initial=10,
        min_value=1,
        max_value=MOST_AT_ONCE,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )
    type = forms.ChoiceField(label=_("Kind"), choices=LoadUnit.Type.choices)


class AssignForm(forms.Form):
    short_id = forms.CharField(
        label=_("Short id of the job"), max_length=10, widget=forms.TextInput(attrs=SCANNED)
    )


class PlaceForm(forms.Form):
    """Where a load unit stands now."""

    code = forms.CharField(
        label=_("Scan the place where it stands"), max_length=200, widget=forms.TextInput(attrs=SCANNED)
    )

    def __init__(self, *args, facility, **kwargs):
        super().__init__(*args, **kwargs)
        self.facility = facility

    def clean_code(self):
        return find_place(self.facility, self.cleaned_data["code"])


class RunForm(forms.Form):
    """The jobs of a new run, its method, and for each job the tote that is suggested for it (``tote-<job>``)."""

    method = forms.ChoiceField(choices=PickRun.METHODS)
    job = forms.ModelMultipleChoiceField(
        PickJob.objects.none(), error_messages={"required": _("Choose at least one job for the run.")}
    )
    zone = forms.ModelMultipleChoiceField(Zone.objects.none(), required=False)

    def __init__(self, *args, facility, **kwargs):
        super().__init__(*args, **kwargs)
        self.facility = facility
        self.fields["job"].queryset = PickJob.objects.at(facility).for_list()
        self.fields["zone"].queryset = facility.zones.all()

    def clean(self):
        data = super().clean()
        data["jobs"], data["zones"] = list(data.get("job", [])), list(data.get("zone", []))
        wanted = {job.pk: self.data.get(f"tote-{job.pk}", "") for job in data["jobs"]}
        units = LoadUnit.objects.at(self.facility).filter(code__in=filter(None, wanted.values()))
        ids = dict(units.values_list("code", "pk"))
        data["totes"] = {pk: ids[code] for pk, code in wanted.items() if code in ids}
        return data


class RestowForm(forms.Form):
    """Where the units lie now, when not where they lay before; or why they do not go back."""

    code = forms.CharField(
        label=_("Scan the place"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off"}),
    )
    note = forms.CharField(
        label=_("Not put back because"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args, facility, **kwargs):
        super().__init__(*args, **kwargs)
        self.facility = facility

    def clean_code(self):
        """The location that has the code; may be empty, for where they lay before, unless places must be scanned."""
        text = self.cleaned_data["code"].strip()
        must_scan = self.facility.location_scan != ScanRule.NOT_REQUIRED and "write_off" not in self.data
        if must_scan and not text:
            raise forms.ValidationError(_("Scan the place first."))
        return find_place(self.facility, text) if text else None


# What a screen sends.
ACTIONS = [choice for choice in ScanEvent.Kind.choices if choice[0] != ScanEvent.Kind.PROGRAM]


class ActionForm(forms.Form):
    """One action of the pick screen, from a plain form or as JSON. The id makes it happen once."""

    id = forms.UUIDField()
    kind = forms.ChoiceField(choices=ACTIONS)
    job = forms.UUIDField()
    line = forms.UUIDField(required=False)
    code = forms.CharField(required=False, max_length=200)
    quantity = forms.IntegerField(required=False, min_value=0, max_value=100_000)
    reason = forms.ChoiceField(required=False, choices=[("", ""), *ShortReason.choices])
    lot = forms.CharField(required=False, max_length=20)
    serial = forms.CharField(required=False, max_length=20)
    expires_on = forms.DateField(required=False)
    weight = forms.IntegerField(required=False, min_value=0, max_value=1_000_000)
    left = forms.IntegerField(required=False, min_value=0, max_value=1_000_000)
    at = forms.DateTimeField(required=False)
    typed = forms.BooleanField(required=False)
    attribute = forms.UUIDField(required=False)

    def clean_code(self):
        code = self.cleaned_data["code"]
        if "\x00" in code:
            raise forms.ValidationError(_("A code has no such characters."))
        return code

    def clean(self):
        data = super().clean()
        # A screen without https sends command codes as they were scanned.
        command, _sign, reason = commands.named(data.get("code", "")).partition(":")
        if data.get("kind") == ScanEvent.Kind.SCAN and command:
            if reason:
                data["kind"], data["reason"] = ScanEvent.Kind.SHORT, reason
            elif command in dict(ACTIONS):
                data["kind"] = command
            else:
                self.add_error("code", _("Without https this command does nothing. Use the page."))
            return data
        if data.get("kind") == ScanEvent.Kind.SCAN and not data.get("code", "").strip():
            self.add_error("code", _("Scan or type a code."))
        return data


class PhotoForm(forms.Form):
    """A photo of a line, under an id of the device. What is in the file is judged when it is drawn anew."""

    id = forms.UUIDField()
    line = forms.UUIDField()
    photo = forms.FileField()


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
