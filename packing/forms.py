import uuid

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from fulfillment.core import attributes
from picking import commands

from .models import BoxType, PackScan
from .services import MOST_GRAMS, MOST_PACKAGES
from .weights import is_unlikely, read_weight

COMMANDS = {PackScan.Kind.UNDO, PackScan.Kind.GO_ON}


class FindForm(forms.Form):
    use_required_attribute = False

    code = forms.CharField(
        label=_("Scan a tote, job, order or article"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True, "data-scan": True}),
    )


class ShownForm(forms.Form):
    """What the address of the pack page may say: the current package."""

    package = forms.IntegerField(required=False, min_value=1, max_value=MOST_PACKAGES)


class PackageForm(forms.Form):
    package = forms.UUIDField(required=False, widget=forms.HiddenInput)


class ActionForm(forms.Form):
    """One action of the pack station, from a plain form or as JSON. The id makes it happen once."""

    id = forms.UUIDField()
    kind = forms.ChoiceField(choices=PackScan.Kind.choices)
    job = forms.UUIDField(required=False)
    run = forms.UUIDField(required=False)
    package = forms.UUIDField(required=False)
    to_package = forms.UUIDField(required=False)
    line = forms.UUIDField(required=False)
    code = forms.CharField(required=False, max_length=200)
    quantity = forms.IntegerField(required=False, min_value=0, max_value=100_000)
    at = forms.DateTimeField(required=False)
    # The number of the package that the packer chose, to come back to it.
    shown = forms.IntegerField(required=False, min_value=1, max_value=MOST_PACKAGES)

    def clean(self):
        data = super().clean()
        # A screen without https sends command codes as they were scanned.
        command = commands.named(data.get("code") or "")
        if data.get("kind") == PackScan.Kind.SCAN and command in COMMANDS:
            data["kind"], data["code"] = command, ""
            data["package"] = None
        kind = data.get("kind")
        if kind and not data.get("run" if kind == PackScan.Kind.SORT else "job"):
            self.add_error("kind", _("Say what it is done to."))
        if kind in (PackScan.Kind.SCAN, PackScan.Kind.SORT) and not (data.get("code") or "").strip():
            self.add_error("code", _("Scan or type a code."))
        return data


def new_action_id():
    """The id of a form's action: sending the form again does not do it again."""
    return uuid.uuid4()


class ScanForm(forms.Form):
    code = forms.CharField(
        label=_("Scan an article"),
        max_length=200,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autofocus": True, "inputmode": "text", "data-scan": True}
        ),
    )


class BoxForm(forms.Form):
    """Which box a package is."""

    box = forms.ModelChoiceField(
        label=_("Box"), queryset=BoxType.objects.none(), required=False, empty_label=_("Another box")
    )

    def __init__(self, *args, boxes, **options):
        super().__init__(*args, **options)
        self.fields["box"].queryset = boxes
        self.fields["box"].label_from_instance = box_name


def box_name(box):
    length, width, height = (f"{side / 10:g}" for side in box.inner_mm)
    return f"{box.name} · {length} × {width} × {height} cm"


class WeightForm(forms.Form):
    """The weight of a package, typed by a person or a scale. One that does not fit has to be confirmed."""

    grams = forms.CharField(
        label=_("Weight in grams"),
        max_length=30,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "data-weight": True}),
    )
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args, package, tolerance, **options):
        super().__init__(*args, **options)
        self.package, self.tolerance = package, tolerance
        self.doubtful = False

    def clean_grams(self):
        grams = read_weight(self.cleaned_data["grams"])
        if grams is None:
            raise forms.ValidationError(_("Enter grams, or kilograms like 1.25 kg."))
        if not 1 <= grams <= MOST_GRAMS:
            raise forms.ValidationError(
                _("A weight is given in grams, from 1 to %(most)s."), params={"most": MOST_GRAMS}
            )
        box = self.package.box_type
        if box is not None and grams > box.most_g:
            raise forms.ValidationError(
                _("%(box)s takes at most %(most)s g. Take something out, or choose another box."),
                params={"box": box, "most": box.most_g},
            )
        return grams

    def clean(self):
        grams, expected = self.cleaned_data.get("grams"), self.package.expected_g
        is_box_known = self.package.box_type is not None
        if (
            grams
            and not self.cleaned_data["confirmed"]
            and is_unlikely(grams, expected, self.tolerance, is_box_known=is_box_known)
        ):
            self.doubtful = True
            self.add_error(
                "grams",
                _("It should weigh about %(expected)s g. Check the package, or confirm %(grams)s g.")
                % {"expected": expected, "grams": grams},
            )
        return self.cleaned_data


class RecordForm(forms.Form):
    """What is recorded of the lines of a job; a field is named by the id of its attribute."""

    use_required_attribute = False

    def __init__(self, *args, lines, **kwargs):
        super().__init__(*args, **kwargs)
        self.known = {}
        for line in lines:
            for one in line.recordable_attributes:
                self.known[one["id"]] = one.get("value") or ""
                is_mandatory = one.get("recordingRule") == attributes.MANDATORY
                name = f"{attributes.name_of(one, get_language() or 'en')} · {line.title}"
                self.fields[one["id"]] = forms.CharField(
                    label=name if is_mandatory else _("%(name)s (if there is one)") % {"name": name},
                    initial=one.get("value"),
                    required=False,
                    max_length=attributes.LONGEST_VALUE,
                    widget=forms.TextInput(attrs={"autocomplete": "off"}),
                )
        first = next((name for name, value in self.known.items() if not value), None)
        if first:
            self.fields[first].widget.attrs["autofocus"] = True

    @property
    def changes(self):
        """``{attribute id: {"value"}}`` of what was typed anew."""
        return {
            name: {"value": value} for name, value in self.cleaned_data.items() if value != self.known[name]
        }
