"""Puts the demo network into an empty database, through the services that staff and shops use too."""

import csv
import datetime
import json
import re
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from fulfillment.core.models import (
    Article,
    ArticleCode,
    Carrier,
    Channel,
    ClosingDay,
    Facility,
    FacilityCarrier,
    Membership,
    Role,
    SafetyStock,
    StockMovement,
    StorageLocation,
    User,
    Zone,
)
from fulfillment.core.services import facilities as facility_service
from fulfillment.core.services import stock
from packing.models import BoxType
from picking import load_units
from routing import places
from routing.models import Place
from shipping.models import PickupSettings

FOLDER = Path(__file__).parent
WEEKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]
CUT_OFF = "17:00"
COMPANY = "Lindenhof"
TOTES = 12  # at each facility
# (local part of the e-mail, role, everywhere or at each facility)
STAFF = [
    ("admin", "administrator", True),
    ("supervisor", "supervisor", True),
    ("picker", "picker", False),
    ("packer", "packer", False),
]
# (name, inner length, width and height in mm, weight when empty, weight limit)
BOXES = [
    ("S", 250, 175, 100, 120, 5_000),
    ("M", 350, 250, 150, 220, 10_000),
    ("L", 450, 350, 250, 420, 20_000),
    ("XL", 600, 400, 400, 800, 31_500),
]
RELATIVE = re.compile(r"^([+-])(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?$")


def rows(name):
    """The rows of a CSV file of the demo network."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def load_places():
    """Fill the table of places from the bundled file, unless it has rows."""
    if not Place.objects.exists():
        places.replace_cities(places.read_bundled())


@transaction.atomic
def load(password):
    """Load the whole network; returns ``{e-mail: password}`` of the demo staff."""
    now = timezone.now()
    load_places()
    carriers = {
        "demo": Carrier.objects.create(key="demo", name="Demo Parcel", adapter="demo"),
        "manual": Carrier.objects.create(key="manual", name="Counter service", adapter="manual"),
    }
    sites = _facilities(carriers, now)
    articles = _articles()
    locations = _locations(sites)
    for site in sites.values():
        load_units.create(site, number=TOTES, by=None, now=now)
    SafetyStock.objects.bulk_create(
        SafetyStock(
            article_id=articles[row["sku"]],
            facility=sites[row["facility"]] if row["facility"] else None,
            value=int(row["units"]),
        )
        for row in rows("safety_stock.csv")
    )
    BoxType.objects.bulk_create(
        BoxType(name=name, length_mm=length, width_mm=width, height_mm=height, tare_g=tare, most_g=most)
        for name, length, width, height, tare, most in BOXES
    )
    stock.count_many(
        [
            stock.Count(
                facility_id=sites[row["facility"]].pk,
                article_id=articles[row["sku"]],
                location_id=locations[row["facility"], row["location"]],
                value=int(row["units"]),
            )
            for row in rows("stock.csv")
        ],
        kind=StockMovement.Kind.RECEIPT,
        by=None,
        now=now,
        reason="Demo network",
    )
    Channel.objects.bulk_create(
        [Channel(key="web", name="Web shop"), Channel(key="marketplace", name="Marketplace")]
    )
    PickupSettings.objects.create(asks_for_code=True, asks_for_packages=True)
    return _staff(sites.values(), password)


def _facilities(carriers, now):
    sites = {}
    for row in rows("facilities.csv"):
        times = {day: [{"start": row["open"], "end": row["close"]}] for day in WEEKDAYS}
        if row["saturday_close"]:
            times["SATURDAY"] = [{"start": row["open"], "end": row["saturday_close"]}]
        site = Facility(
            name=row["name"],
            tenant_facility_id=row["number"],
            slug=row["slug"],
            location_type=row["type"],
            services=row["services"].split(),
            company_name=COMPANY,
            street=row["street"],
            house_number=row["house_number"],
            postal_code=row["postal_code"],
            city=row["city"],
            country=row["country"],
            latitude=float(row["latitude"]),
            longitude=float(row["longitude"]),
            time_zone=row["time_zone"],
            picking_times=times,
            picking_methods=row["picking_methods"].split(),
        )
        site.clean_fields(exclude=["status"])  # which takes no assignment, not even of itself
        sites[row["number"]] = facility_service.create(site, by=None, now=now)
        FacilityCarrier.objects.bulk_create(
            FacilityCarrier(
                facility=site,
                carrier=carriers[key],
                priority=priority,
                cutoffs=dict.fromkeys(WEEKDAYS, CUT_OFF),
            )
            for priority, key in enumerate(row["carriers"].split(), start=1)
        )
    ClosingDay.objects.bulk_create(
        ClosingDay(
            facility=sites[row["facility"]],
            closed_on=datetime.date.fromisoformat(row["day"]),
            reason=row["reason"],
            recurrence=row["recurrence"],
        )
        for row in rows("closing_days.csv")
    )
    return sites


def _articles():
    lines = rows("articles.csv")
    made = Article.objects.bulk_create(
        Article(
            sku=row["sku"],
            title=row["title"],
            titles={"en": row["title"], "de": row["title_de"]},
            weight_g=int(row["weight_g"]),
            length_mm=int(row["length_mm"]),
            width_mm=int(row["width_mm"]),
            height_mm=int(row["height_mm"]),
            hs_code=row["hs_code"],
            origin_country=row["origin_country"],
            customs_description=row["customs_description"],
        )
        for row in lines
    )
    codes = []
    for article, row in zip(made, lines, strict=True):
        codes.append(ArticleCode(article=article, code=row["ean"]))
        if row["carton_ean"]:
            codes.append(ArticleCode(article=article, code=row["carton_ean"], units=int(row["carton_units"])))
    for code in codes:
        code.clean()
    ArticleCode.objects.bulk_create(codes)
    return {article.sku: article.pk for article in made}


def _locations(sites):
    lines = rows("locations.csv")
    names = sorted({(row["facility"], row["zone"]) for row in lines})
    zones = {
        (facility, zone.name): zone
        for (facility, _name), zone in zip(
            names,
            Zone.objects.bulk_create(Zone(facility=sites[facility], name=name) for facility, name in names),
            strict=True,
        )
    }
    made = StorageLocation.objects.bulk_create(
        StorageLocation(
            facility=sites[row["facility"]],
            zone=zones[row["facility"], row["zone"]],
            name=row["name"],
            running_sequence=int(row["running_sequence"]),
            aisle=int(row["aisle"]),
            bay=int(row["bay"]),
            level=1,
            scannable_codes=[row["code"]],
        )
        for row in lines
    )
    return {(row["facility"], row["name"]): location.pk for row, location in zip(lines, made, strict=True)}


def _staff(sites, password):
    logins = {}
    for name, role, everywhere in STAFF:
        email = f"{name}@demo.example"
        user = User.objects.create_user(
            email,
            password,
            name=name.capitalize(),
            is_staff=name == "admin",
            is_superuser=name == "admin",
        )
        Membership.objects.bulk_create(
            Membership(user=user, role=Role.objects.get(key=role), facility=site)
            for site in ([None] if everywhere else sites)
        )
        logins[email] = password
    return logins


# Orders


def moment(text, now):
    """``-2h10m`` or ``+1d00h`` as RFC 3339, counted from ``now``; any other text as it is."""
    match = RELATIVE.match(text)
    if match is None or text in {"+", "-"}:
        return text
    sign, days, hours, minutes = match.groups()
    span = datetime.timedelta(days=int(days or 0), hours=int(hours or 0), minutes=int(minutes or 0))
    return (now + span if sign == "+" else now - span).isoformat(timespec="seconds")


def orders(now):
    """The demo orders in wire form, oldest first, with real times and ids of facilities."""
    ids = {number: str(pk) for number, pk in Facility.objects.values_list("tenant_facility_id", "pk")}
    found = []
    for path in sorted((FOLDER / "orders").glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        data["orderDate"] = moment(data["orderDate"], now)
        preferences = data.get("deliveryPreferences", {})
        if "targetTime" in preferences:
            preferences["targetTime"] = moment(preferences["targetTime"], now)
        named = [
            *preferences.get("collect", []),
            *preferences.get("shipping", {}).get("preselectedFacilities", []),
        ]
        for reference in named:
            reference["facilityRef"] = ids.get(reference["facilityRef"], reference["facilityRef"])
        found.append(data)
    return found
