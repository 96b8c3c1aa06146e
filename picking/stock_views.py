"""Who holds this, and the count of a place."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from fulfillment.core.access import at_facility, permissions_at
from fulfillment.core.models import Permission, StorageLocation
from fulfillment.core.queries import find_article, find_location

from . import counts, holders
from .stock_forms import CountForm, LookUpForm, PlaceForm


@require_safe
@at_facility(Permission.PICK)
def look_up(request):
    """Scan an article or a place: what is there, and for which jobs and orders it is kept."""
    form = LookUpForm(request.GET if "code" in request.GET else None)
    code = form.cleaned_data["code"] if form.is_valid() else ""
    location = find_location(request.facility, code) if code else None
    article = None if location or not code else find_article(code)[0]
    context = {
        "form": LookUpForm(),
        "code": code,
        "location": location,
        "article": article,
        "may_count": Permission.STOCK in permissions_at(request.user, request.facility),
    }
    if location:
        context["rows"] = holders.at_location(location)
    if article:
        context["held"] = holders.of_article(request.facility, article, timezone.localdate())
    return render(request, "picking/stock_look_up.html", context)


@require_safe
@at_facility(Permission.STOCK)
def count_start(request):
    """Scan the place that is to be counted."""
    form = PlaceForm(request.GET if "code" in request.GET else None, facility=request.facility)
    if form.is_valid():
        answer = redirect("picking:count-location", request.facility.slug, form.cleaned_data["code"].pk)
        if form.cleaned_data["blind"]:
            answer["Location"] += "?blind=1"
        return answer
    return render(request, "picking/count_start.html", {"form": form}, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@at_facility(Permission.STOCK)
def count_location(request, pk):
    """Count a place by scanning: each scan adds to the form, and nothing is booked before the count is."""
    places = StorageLocation.objects.filter(facility=request.facility).select_related("facility")
    location = get_object_or_404(places, pk=pk)
    rows = holders.at_location(location)
    form = CountForm(request.POST or None, rows=rows)
    said = None
    if request.method == "POST" and "book" not in request.POST:
        form, article = form.scanned()
        said = (
            ("good", _("%(article)s: counted.") % {"article": article})
            if article
            else ("bad", _("Nobody knows this code. Nothing was counted."))
        )
    elif request.method == "POST" and form.is_valid():
        booked, found = form.counted()
        differences = counts.book(
            location, booked, found, reason=form.cleaned_data["reason"], by=request.user, now=timezone.now()
        )
        _tell(request, location, differences)
        return redirect("picking:count-start", request.facility.slug)
    baskets = holders.in_baskets(rows)
    for row in rows:
        row.in_baskets = baskets[row.pk]
        row.on_shelf = row.value - row.in_baskets
    context = {"location": location, "form": form, "said": said, "is_blind": "blind" in request.GET}
    template = "picking/count_location.html"
    return render(request, f"{template}#count" if request.htmx else template, context)


def _tell(request, location, differences):
    if not differences:
        messages.success(request, _("%(place)s: all as booked.") % {"place": location})
        return
    text = ngettext(
        "%(place)s: %(number)s difference booked.",
        "%(place)s: %(number)s differences booked.",
        len(differences),
    )
    messages.warning(request, text % {"place": location, "number": len(differences)})
    for difference in differences:
        messages.info(
            request,
            _("%(article)s: %(before)s booked, now %(after)s.")
            % {"article": difference.article, "before": difference.before, "after": difference.after},
        )
