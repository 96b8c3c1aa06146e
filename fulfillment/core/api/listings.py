"""Listings in the API."""

from functools import partial

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.response import Response

from ..errors import VersionConflict
from ..models import Listing
from ..services import listings
from . import listing_wire as wire
from . import paging
from .access import READ, STOCK
from .document import PAGE, operation
from .errors import error, errors_of
from .facilities import gone
from .patching import apply_together
from .references import get_facility
from .schema import Text, validate, validate_each
from .search import CUSTOM_ATTRIBUTES, SEARCH, TAGS, Field, Items, payload, search
from .views import ApiView


class ListingView(ApiView):
    def at(self, facility):
        return Listing.objects.filter(facility=get_facility(self, facility)).select_related("article")


class ListingList(ListingView):
    access = {"GET": READ, "PUT": STOCK}

    @operation(
        "listListings",
        "Listings of a facility, the newest first",
        query={**PAGE, "tenantArticleIds": Text(), "scannableCode": Text(80)},
        answers={200: wire.listings},
        errors=(404,),
    )
    def get(self, request, facility):
        rows = self.at(facility)
        if skus := paging.values(request, "tenantArticleIds"):
            rows = rows.filter(article__sku__in=skus)
        if code := request.query_params.get("scannableCode"):
            rows = rows.filter(article__codes__code=code)
        found, total = paging.page(request, rows)
        return Response({"listings": [wire.represent_stripped_listing(row) for row in found], "total": total})

    @operation(
        "replaceListings",
        "Create or replace up to 500 listings; articles that are new come to be",
        body=wire.listings_for_replacement,
        answers={200: wire.listing_results},
        errors=(404,),
    )
    def put(self, request, facility):
        at = get_facility(self, facility)
        entries = validate_each(wire.listings_for_replacement, "listings", request.data)
        rows = [
            (entry["tenantArticleId"], wire.listing_values(entry), entry.get("version"))
            for entry, problems in entries
            if not problems
        ]
        results = iter(listings.replace(at, rows, by=request.user, now=timezone.now()) if rows else ())
        return Response(
            [_refused(problems) if problems else _result(next(results), entry) for entry, problems in entries]
        )


def _refused(problems):
    return {
        "status": "FAILED",
        "errors": [error("VALIDATION_FAILED", f"{path}: {message}") for path, message in problems],
    }


def _result(made, entry):
    row, status = made
    body = {"listing": wire.represent_listing(row), "status": status}
    if status == "FAILED":
        body["errors"] = errors_of(VersionConflict(requested=entry["version"], current=row.version))
    return body


class ListingDetail(ListingView):
    access = {"GET": READ, "PATCH": STOCK, "DELETE": STOCK}

    @operation("getListing", "One listing", answers={200: wire.listing}, errors=(404,))
    def get(self, request, facility, sku):
        return Response(wire.represent_listing(get_object_or_404(self.at(facility), article__sku=sku)))

    @operation(
        "patchListing",
        "Change a listing",
        body=wire.listing_patch,
        answers={200: wire.listing},
        errors=(404, 409),
    )
    def patch(self, request, facility, sku):
        row = get_object_or_404(self.at(facility), article__sku=sku)
        data = validate(wire.listing_patch, request.data)
        who = {"by": request.user, "now": timezone.now()}
        steps = [
            partial(listings.change, row.pk, wire.listing_values(action), **who) for action in data["actions"]
        ]
        apply_together(steps, data["version"])
        return Response(wire.represent_listing(self.at(facility).get(pk=row.pk)))

    @operation(
        "deleteListing", "Delete a listing that was never in stock", answers={200: None}, errors=(404, 422)
    )
    def delete(self, request, facility, sku):
        row = self.at(facility).filter(article__sku=sku).first()
        if row is None:
            raise Http404
        listings.delete(row.pk, by=request.user, now=timezone.now())
        return gone()


class ListingSearch(ApiView):
    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id"),
        "created": Field("created_at", "time", is_sortable=True),
        "lastModified": Field("modified_at", "time", is_sortable=True),
        "facilityRef": Field("facility", "id"),
        "outOfStockBehaviour": Field("out_of_stock"),
        "status": Field("status"),
        "tenantArticleId": Field("article__sku", is_sortable=True),
        "measurementUnitKey": Field("extra__measurementUnitKey"),
        "price": Field("extra__price", "number"),
        "weight": Field("extra__weight", "number"),
        "categoryRefs": Items("extra", within="categoryRefs"),
        "customAttributes": CUSTOM_ATTRIBUTES,
        "tags": TAGS,
    }

    @operation(
        "searchListings",
        "Search listings",
        body=payload,
        request_example=SEARCH,
        answers={200: wire.listing_page},
    )
    def post(self, request):
        rows = self.at_my_facilities(Listing.objects.select_related("article"))
        found, info, total = search(request.data, rows, self.fields)
        body = {"listings": [wire.represent_listing(row) for row in found], "pageInfo": info}
        return Response(body if total is None else body | {"total": total})
