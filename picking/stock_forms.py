import uuid

from django import forms
from django.utils.translation import gettext_lazy as _

from fulfillment.core.models import Article
from fulfillment.core.queries import find_article
from fulfillment.core.services.stock import MOST_UNITS

from .counts import Row
from .forms import SCANNED, find_place


class LookUpForm(forms.Form):
    use_required_attribute = False

    code = forms.CharField(
        label=_("Scan an article or a place"),
        max_length=200,
        widget=forms.TextInput(attrs={**SCANNED, "autofocus": True}),
    )


class PlaceForm(forms.Form):
    use_required_attribute = False

    code = forms.CharField(
        label=_("Scan the place"),
        max_length=200,
        widget=forms.TextInput(attrs={**SCANNED, "autofocus": True}),
    )
    blind = forms.BooleanField(
        label=_("Count blind"),
        required=False,
        help_text=_("What is booked is not shown until the count is booked."),
    )

    def __init__(self, *args, facility, **kwargs):
        super().__init__(*args, **kwargs)
        self.facility = facility

    def clean_code(self):
        return find_place(self.facility, self.cleaned_data["code"])


def _key_of(name):
    """The article of a field ``found-<article>``, None for any other."""
    try:
        return uuid.UUID(name.removeprefix("found-")) if name.startswith("found-") else None
    except ValueError:
        return None


class CountForm(forms.Form):
    """The count of a place: ``units-<stock>`` for what is booked there, ``found-<article>`` for what is not.

    It is sent with each scan, which adds to it, and once more to book it.
    """

    use_required_attribute = False

    code = forms.CharField(
        label=_("Scan an article"),
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={**SCANNED, "autofocus": True}),
    )
    is_rest_gone = forms.BooleanField(label=_("What is not counted is not there"), required=False)
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=200,
        initial=_("Counted"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args, rows, **kwargs):
        super().__init__(*args, **kwargs)
        self.rows = rows
        for row in rows:
            self.fields[f"units-{row.pk}"] = self._units()
            self.fields[f"version-{row.pk}"] = forms.IntegerField(
                widget=forms.HiddenInput, initial=row.version
            )
        keys = [key for name in self.data if (key := _key_of(name))]
        self.found = {}
        for article in Article.objects.filter(pk__in=keys).order_by("sku"):
            self._add_found(article)

    @staticmethod
    def _units():
        return forms.IntegerField(
            label=_("Counted"),
            required=False,
            min_value=0,
            max_value=MOST_UNITS,
            widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        )

    def _add_found(self, article):
        self.found[article.pk] = article
        self.fields[f"found-{article.pk}"] = self._units()

    def scanned(self):
        """A form with one scan more, and the article, or None when nobody knows the code.

        Of several rows of an article (dates of expiry) the first one counts; the others are typed.
        """
        data = self.data.copy()
        article, units = find_article(data.get("code", ""))
        data["code"] = ""
        if article is None:
            return CountForm(data, rows=self.rows), None
        row = next((row for row in self.rows if row.listing.article_id == article.pk), None)
        name = f"units-{row.pk}" if row else f"found-{article.pk}"
        before = data.get(name, "").strip()
        data[name] = str((int(before) if before.isdecimal() else 0) + units)
        return CountForm(data, rows=self.rows), article

    def counted(self):
        """(rows, found articles) of a valid form, as ``counts.book`` takes them."""
        data = self.cleaned_data
        rest = 0 if data["is_rest_gone"] else None
        rows = []
        for row in self.rows:
            units = data[f"units-{row.pk}"]
            units = rest if units is None else units
            if units is not None:
                rows.append(Row(row.pk, units, data[f"version-{row.pk}"]))
        found = {article: data[f"found-{pk}"] for pk, article in self.found.items()}
        return rows, {article: units for article, units in found.items() if units}

    def booked_fields(self):
        """(stock row, field of its units, field of its version) for the page."""
        return [(row, self[f"units-{row.pk}"], self[f"version-{row.pk}"]) for row in self.rows]

    def found_fields(self):
        return [(article, self[f"found-{pk}"]) for pk, article in self.found.items()]
