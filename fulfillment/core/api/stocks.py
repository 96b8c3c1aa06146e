"""Stock in the API."""

import datetime
import uuid
from collections import defaultdict
from typing import NamedTuple

from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from ..errors import NotOffered, Refused
from ..models import Article, Facility, Listing, Stock, StorageLocation
from ..services import stock as stock_service
from . import paging
from . import stock_wire as wire
from .access import READ, STOCK
from .document import PAGE, operation
from .errors import error, errors_of
from .examples import ID
from .facilities import gone
from .idempotency import once
from .references import URN, at_facilities, facility_in_body
from .schema import Integer, Text, validate, validate_each
from .search import CUSTOM_ATTRIBUTES, SEARCH, Field, payload, search
from .views import ApiView
from .wire import without_empty

IMPORTED = "API"


def _expiry(data, path):
    """The day on which the units expire, None when they do not."""
    text = (data.get("properties") or {}).get("expiry")
    if not text:
        return None
    try:
        return datetime.date.fromisoformat(text[:10])
    except ValueError:
        raise ValidationError(
            {f"{path}properties.expiry": ["must begin with a day like 2026-12-31"]}
        ) from None


def _refuse_not_offered(data):
    for name, instead in wire.STOCK_NOT_OFFERED.items():
        if data.get(name):
            raise NotOffered(feature=name, instead=instead)


class StockView(ApiView):
    def stocks(self):
        return self.at_my_facilities(Stock.objects.all(), "listing__facility")

    def represent(self, ids):
        """The stock rows with these ids, in their order."""
        today = timezone.now().date()
        found = {
            row[0]: wire.represent_stock(row, today)
            for row in Stock.objects.filter(pk__any=ids).order_by().values_list(*wire.STOCK_COLUMNS)
        }
        return [found[pk] for pk in ids]

    def answer(self, pk, **options):
        (body,) = self.represent([pk])
        return Response(body, **options)


class StockList(StockView):
    access = {"GET": READ, "POST": STOCK, "PUT": STOCK}

    @operation(
        "listStocks",
        "Stock, the newest first",
        query={
            **PAGE,
            **dict.fromkeys(("facilityRef", "tenantFacilityId", "tenantArticleId", "locationRef"), Text()),
        },
        answers={200: wire.stocks},
    )
    def get(self, request):
        rows = self.stocks()
        if references := paging.values(request, "facilityRef"):
            rows = at_facilities(rows, references, "listing__facility")
        if numbers := paging.values(request, "tenantFacilityId"):
            rows = rows.filter(listing__facility__tenant_facility_id__in=numbers)
        if skus := paging.values(request, "tenantArticleId"):
            rows = rows.filter(listing__article__sku__in=skus)
        if (locations := paging.ids(request, "locationRef")) is not None:
            rows = rows.filter(location__in=locations)
        size = paging.read_size(request)
        found, total = paging.page(request, rows.only("pk"))
        info = {"hasNextPage": len(found) == size, "hasPreviousPage": "startAfterId" in request.query_params}
        if found:
            info |= {"startCursor": str(found[0].pk), "endCursor": str(found[-1].pk)}
        ids = [row.pk for row in found]
        return Response({"stocks": self.represent(ids), "pageInfo": info, "total": total})

    @operation(
        "createStock",
        "Book the first units of an article at a place",
        body=wire.stock_for_creation,
        answers={201: wire.stock},
        errors=(409, 422),
    )
    def post(self, request):
        data = validate(wire.stock_for_creation, request.data)
        _refuse_not_offered(data)
        selector = data.get("facility")
        facility = facility_in_body(self, selector or data, "facility." if selector else "")
        location = None
        if reference := data.get("locationRef"):
            pk = paging.as_uuid(reference)
            location = StorageLocation.objects.filter(facility=facility, pk=pk).first() if pk else None
            if location is None:
                raise ValidationError(
                    {"locationRef": [f"There is no location {reference!r} at this facility."]}
                )

        def step(is_second):
            row = stock_service.open_stock(
                facility,
                data["tenantArticleId"],
                data["value"],
                location=location,
                expires_on=_expiry(data, ""),
                is_defective="DEFECTIVE" in data.get("conditions", ()),
                details=wire.stock_details(data),
                by=request.user,
                now=timezone.now(),
                reason=IMPORTED,
            )
            return self.answer(row.pk, status=201, headers={"Location": reverse("api-stock", args=[row.pk])})

        return once(request, step)

    @operation(
        "upsertStocks",
        "Set up to 500 counted values: by the id of the stock, or by its place",
        body=wire.stocks_for_upsert,
        request_example={
            "stocks": [
                {"facility": {"tenantFacilityId": "NL-1"}, "tenantArticleId": "SKU-1", "value": 12},
                {"id": ID, "version": 3, "value": 7},
            ]
        },
        answers={200: wire.stock_results},
    )
    def put(self, request):
        plan = _Plan(self, validate_each(wire.stocks_for_upsert, "stocks", request.data))
        counted = stock_service.count_many(
            list(plan.counts.values()), by=request.user, now=timezone.now(), reason=IMPORTED
        )
        return Response(plan.results(counted))


class _Place(NamedTuple):
    """Where a row counts, with what the answer says of it."""

    facility_id: uuid.UUID
    article_id: uuid.UUID
    location_id: uuid.UUID | None
    expires_on: datetime.date | None
    is_pickable: bool | None
    is_accessible: bool | None
    facility_number: str
    sku: str


class _Plan:
    """Rows of a bulk request with what they mean; queries do not depend on how many there are."""

    def __init__(self, view, rows):
        self.view, self.count = view, len(rows)
        self.problems = {
            index: [error("VALIDATION_FAILED", f"{path}: {message}") for path, message in problems]
            for index, (_row, problems) in enumerate(rows)
            if problems
        }
        self.counts, self.places = {}, {}  # index: what to count, and where
        good = [(index, row) for index, (row, problems) in enumerate(rows) if not problems]
        by_id = self._named_by_id([row["id"] for _index, row in good if "id" in row])
        known = self._references([row for _index, row in good if "id" not in row])
        for index, row in good:
            asked = next((name for name in wire.STOCK_NOT_OFFERED if row.get(name)), None)
            if asked:
                refusal = NotOffered(feature=asked, instead=wire.STOCK_NOT_OFFERED[asked])
                self._refuse(index, refusal.code, refusal.english)
            elif "id" in row:
                self._take_stock(index, row, by_id)
            else:
                self._take_place(index, row, *known)

    def _named_by_id(self, references):
        """``{stock id: (whether it is defective, its place)}``."""
        ids = [found for reference in references if (found := paging.as_uuid(reference))]
        rows = self.view.stocks().filter(pk__any=ids).order_by() if ids else Stock.objects.none()
        return {
            pk: (is_defective, _Place(*place))
            for pk, is_defective, *place in rows.values_list(
                *("pk", "is_defective", "listing__facility_id", "listing__article_id"),
                *("location_id", "expires_on", "location__is_pickable", "location__is_accessible"),
                *("listing__facility__tenant_facility_id", "listing__article__sku"),
            )
        }

    def _references(self, rows):
        """What rows name: facilities by id and number, articles by SKU, locations by id."""
        names = {_facility_name(row) for row in rows}
        mine = self.view.at_my_facilities(Facility.objects.all(), "pk")
        named = mine.filter(
            Q(pk__in=filter(None, map(paging.as_uuid, names))) | Q(tenant_facility_id__in=names)
        )
        facilities = {}
        for pk, number in named.values_list("pk", "tenant_facility_id") if names else ():
            facilities[str(pk)] = facilities[number] = (pk, number)
        skus = {row["tenantArticleId"] for row in rows if "tenantArticleId" in row}
        articles = dict(Article.objects.filter(sku__any=skus).values_list("sku", "pk"))
        ids = {found for row in rows if (found := paging.as_uuid(row.get("locationRef")))}
        locations = {
            pk: traits
            for pk, *traits in StorageLocation.objects.filter(pk__any=ids).values_list(
                "pk", "facility_id", "is_pickable", "is_accessible"
            )
        }
        return facilities, articles, locations

    def _take_stock(self, index, row, by_id):
        is_defective, place = by_id.get(paging.as_uuid(row["id"]), (None, None))
        if place is None:
            self._refuse(index, "NOT_FOUND", f"id: there is no stock {row['id']!r}.")
        elif is_defective:
            self._refuse(index, "NOT_OFFERED", "id: defective stock is counted one by one.")
        elif row.get("locationRef", str(place.location_id)) != str(place.location_id):
            self._refuse(index, "VALIDATION_FAILED", "locationRef: a stock row keeps its place.")
        else:
            self._count(index, row, place)

    def _take_place(self, index, row, facilities, articles, locations):
        facility, number = facilities.get(_facility_name(row), (None, ""))
        sku, reference = row.get("tenantArticleId"), row.get("locationRef")
        location = paging.as_uuid(reference) if reference else None
        # Without a location nothing is known against it.
        owner, is_pickable, is_accessible = locations.get(location, (None, None, None))
        if facility is None:
            self._refuse(index, "UNKNOWN_FACILITY", "facility: there is none that you may use.")
        elif sku not in articles:
            self._refuse(index, "UNKNOWN_ARTICLE", "tenantArticleId: there is no such article.")
        elif reference and owner != facility:
            self._refuse(index, "FOREIGN_LOCATION", "locationRef: not a location of the facility.")
        elif row.get("conditions"):
            self._refuse(index, "NOT_OFFERED", "conditions: count defective units one by one.")
        else:
            try:
                expires_on = _expiry(row, f"stocks[{index}].")
            except ValidationError as failure:
                self.problems[index] = errors_of(failure)
                return
            traits = (is_pickable, is_accessible)
            self._count(
                index, row, _Place(facility, articles[sku], location, expires_on, *traits, number, sku)
            )

    def _count(self, index, row, place):
        self.places[index] = place
        self.counts[index] = stock_service.Count(
            place.facility_id,
            place.article_id,
            row["value"],
            place.location_id,
            place.expires_on,
            row.get("version") if "id" in row else None,
            wire.stock_details(row),
        )

    def _refuse(self, index, code, text):
        self.problems[index] = [error(code, f"stocks[{index}].{text}")]

    def results(self, counted):
        """One result per row, in their order."""
        today = timezone.now().date()
        results = {index: {"status": "FAILED", "errors": errors} for index, errors in self.problems.items()}
        for (index, place), found in zip(self.places.items(), counted, strict=True):
            if isinstance(found, Refused):
                results[index] = {"status": "FAILED", "errors": errors_of(found)}
            else:
                status = {None: "CREATED", found.value: "UNCHANGED"}.get(found.before, "UPDATED")
                results[index] = {"status": status, "stock": _represent_counted(found, place, today)}
        return [results[index] for index in range(self.count)]


def _represent_counted(found, place, today):
    """A counted row as ``Stock``: what ``represent_stock`` needs is known, so no query."""
    return wire.represent_stock(
        (
            *(found.stock_id, found.version, found.created_at, found.modified_at, found.value),
            *(place.expires_on, False, found.custom_attributes, found.extra),
            *(place.location_id, place.is_pickable, place.is_accessible),
            *(found.reserved, place.facility_id, place.facility_number, place.sku),
        ),
        today,
    )


def _facility_name(row):
    """The id or number by which a row names its facility."""
    selector = row.get("facility") or row
    name = selector.get("facilityRef") or selector.get("tenantFacilityId") or ""
    return name.removeprefix(URN)


class StockDetail(StockView):
    access = {"GET": READ, "PUT": STOCK, "DELETE": STOCK}

    @operation("getStock", "One stock row", answers={200: wire.stock}, errors=(404,))
    def get(self, request, pk):
        get_object_or_404(self.stocks(), pk=pk)
        return self.answer(pk)

    @operation(
        "updateStock",
        "Set the counted value",
        body=wire.stock_for_update,
        answers={200: wire.stock},
        errors=(404, 409, 422),
    )
    def put(self, request, pk):
        row = get_object_or_404(self.stocks(), pk=pk)
        data = validate(wire.stock_for_update, request.data)
        _refuse_not_offered(data)
        if "conditions" in data and bool(data["conditions"]) != row.is_defective:
            raise NotOffered(
                feature="Another condition of counted units", instead="Count them to 0 and open another row."
            )
        if data.get("locationRef", str(row.location_id)) != str(row.location_id):
            raise ValidationError(
                {"locationRef": ["a stock row keeps its place; count it to 0 and open another"]}
            )
        stock_service.correct(
            pk,
            data["value"],
            reason=IMPORTED,
            version=data.get("version"),
            details=wire.stock_details(data),
            by=request.user,
            now=timezone.now(),
        )
        return self.answer(pk)

    @operation("deleteStock", "Delete a stock row", answers={200: None}, errors=(404, 422))
    def delete(self, request, pk):
        get_object_or_404(self.stocks(), pk=pk)
        stock_service.remove(pk, by=request.user, now=timezone.now())
        return gone()


class StockSearch(StockView):
    access = {"POST": READ}
    fields = {
        "id": Field("pk", "id"),
        "created": Field("created_at", "time", is_sortable=True),
        "lastModified": Field("modified_at", "time", is_sortable=True),
        "facilityRef": Field("listing__facility", "id"),
        "tenantFacilityId": Field("listing__facility__tenant_facility_id"),
        "tenantArticleId": Field("listing__article__sku", is_sortable=True),
        "tenantStockId": Field("extra__tenantStockId"),
        "scannableCodes": Field("listing__article__codes__code"),
        "locationRef": Field("location", "id"),
        "value": Field("value", "number", is_sortable=True),
        "conditions": Field("is_defective", values={"DEFECTIVE": True}),
        "customAttributes": CUSTOM_ATTRIBUTES,
    }

    @operation(
        "searchStocks", "Search stock", body=payload, request_example=SEARCH, answers={200: wire.stocks}
    )
    def post(self, request):
        rows, info, total = search(request.data, self.stocks(), self.fields)
        body = {"stocks": self.represent([row.pk for row in rows]), "pageInfo": info}
        return Response(body if total is None else body | {"total": total})


class StockSummaries(ApiView):
    access = {"GET": READ}

    @operation(
        "listStockSummaries",
        "Figures per article over facilities: in stock, reserved, available for picking",
        query={
            **PAGE,
            **dict.fromkeys(
                ("facilityRefs", "facilityStatus", "facilityServiceTypes", "tenantArticleIds", "channelRefs"),
                Text(),
            ),
            "maxPageSize": Integer(1, 100),
            "allowStale": Text(10),
        },
        answers={200: wire.summaries},
    )
    def get(self, request):
        facilities = self.at_my_facilities(Facility.objects.all(), "pk")
        if references := paging.values(request, "facilityRefs"):
            facilities = at_facilities(facilities, references, "pk")
        if statuses := paging.values(request, "facilityStatus"):
            facilities = facilities.filter(status__in=statuses)
        keys = set(facilities.values_list("pk", flat=True))
        if services := set(paging.values(request, "facilityServiceTypes")):
            offered = facilities.values_list("pk", "services")
            keys = {pk for pk, offers in offered if services & set(offers)}
        articles = Article.objects.filter(listings__facility__in=keys).distinct()
        if skus := paging.values(request, "tenantArticleIds"):
            articles = articles.filter(sku__in=skus)
        found, total = paging.page(request, articles)
        return Response({"stockSummaries": _summaries(found, keys), "total": total})


def _summaries(articles, facility_ids):
    today = timezone.now().date()
    ids = [article.pk for article in articles]
    listings = Listing.objects.filter(article__in=ids, facility__in=facility_ids)
    rows = defaultdict(list)
    for listing in listings.with_available(today).order_by("facility_id"):
        rows[listing.article_id].append(listing)
    values = defaultdict(lambda: {"total": 0, "accessible": 0, "pickable": 0, "sound": 0})
    for listing_id, value, pickable, accessible, expires_on, is_defective in (
        Stock.objects.filter(listing__in=listings)
        .order_by()
        .values_list(
            "listing",
            "value",
            "location__is_pickable",
            "location__is_accessible",
            "expires_on",
            "is_defective",
        )
    ):
        own = values[listing_id]
        own["total"] += value
        own["accessible"] += value if accessible is not False else 0
        own["pickable"] += value if pickable is not False else 0
        is_sound = not is_defective and (expires_on is None or expires_on >= today)
        own["sound"] += value if is_sound and accessible is not False else 0
    return [_summary(article, rows[article.pk], values) for article in articles]


def _summary(article, listings, values):
    picking = sum(listing.available for listing in listings)
    on_stock = sum(
        max(values[listing.pk]["sound"] - listing.reserved - listing.safety, 0) for listing in listings
    )
    total = sum(values[listing.pk]["total"] for listing in listings)
    return {
        "article": without_empty(
            {"tenantArticleId": article.sku, "title": article.title, "imageUrl": article.image_url}
        ),
        "details": {
            "available": picking,
            "availableForPicking": picking,
            "availableOnStock": on_stock,
            "availableToPromise": on_stock,
            "readyToPick": picking,
            "reserved": sum(listing.reserved for listing in listings),
            "safetyStock": sum(listing.safety for listing in listings),
            "stockOnHand": total,
            "totalAmount": total,
            "byTrait": {
                "ACCESSIBLE": sum(values[listing.pk]["accessible"] for listing in listings),
                "PICKABLE": sum(values[listing.pk]["pickable"] for listing in listings),
            },
        },
        "includedFacilityRefs": [str(listing.facility_id) for listing in listings],
    }
