"""CSV import and export of facilities, articles and stock. Facilities and stock are written by their services only."""

import collections
import dataclasses
import datetime

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from import_export import fields, instance_loaders, resources, widgets

from . import rows as row_tools
from .models import Article, ArticleCode, Facility, Stock, StorageLocation, Zone
from .services import facilities
from .services import stock as stock_service
from .spreadsheets import ChoiceWidget, CsvResource, ListWidget, TimesWidget

MOST_CODES = 5  # of a storage location


class FacilityResource(CsvResource, resources.ModelResource):
    required = ("tenant_facility_id",)
    status = fields.Field("wanted_status", "status", widget=ChoiceWidget(Facility.Status))
    services = fields.Field("services", "services", widget=ListWidget())
    picking_times = fields.Field("picking_times", "picking_times", widget=TimesWidget())

    class Meta:
        model = Facility
        import_id_fields = ("tenant_facility_id",)
        fields = (
            "tenant_facility_id",
            "slug",
            "name",
            "status",
            "location_type",
            "services",
            "company_name",
            "street",
            "house_number",
            "postal_code",
            "city",
            "country",
            "phone",
            "email",
            "latitude",
            "longitude",
            "time_zone",
            "picking_times",
            "fulfillment_buffer",
        )
        import_order = export_order = fields
        skip_unchanged = True
        instance_loader_class = instance_loaders.CachedInstanceLoader

    def dehydrate_status(self, facility):
        return facility.status

    def after_init_instance(self, instance, new, row, **kwargs):
        self.check_once(row["tenant_facility_id"], "tenant_facility_id", kwargs["row_number"])
        instance.wanted_status = instance.status
        instance.fixed_slug = None if new else instance.slug

    def validate_instance(self, instance, import_validation_errors=None, validate_unique=True):
        errors = dict(import_validation_errors or {})
        if instance.fixed_slug and instance.slug != instance.fixed_slug:
            errors["slug"] = [ValidationError(_("The short name of a facility is never changed."))]
        try:
            # The status is protected against assignment, even of the same value.
            instance.full_clean(exclude={*errors, "status"})
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        super().validate_instance(instance, errors, validate_unique)

    def do_instance_save(self, instance, is_create):
        step = {"by": self.user, "now": self.now}
        if is_create:
            facilities.create(instance, **step)
        else:
            names = [name for name in self._meta.fields if name != "status"]
            facilities.change(instance.pk, {name: getattr(instance, name) for name in names}, **step)
        facilities.set_status(instance.pk, instance.wanted_status, reason=_("Import"), **step)


class CodesWidget(widgets.Widget):
    """``4006381333931, 14006381333938*6``: codes separated by commas, with the units a carton code stands for."""

    def clean(self, value, row=None, **kwargs):
        codes = {}
        for part in (value or "").split(","):
            code, _star, units = part.strip().partition("*")
            if not code:
                continue
            if units and not (units.isdigit() and 1 <= int(units) <= 100_000):
                raise ValueError(
                    _("%(part)s: write the units of a carton as code*6.") % {"part": part.strip()}
                )
            article_code = ArticleCode(code=code, units=int(units or 1))
            try:
                article_code.clean_fields(exclude=["article"])
                article_code.clean()
            except ValidationError as error:
                raise ValueError(" ".join(error.messages)) from error
            if code in codes:
                raise ValueError(_("%(code)s stands twice.") % {"code": code})
            codes[code] = article_code.units
        return codes

    def render(self, value, obj=None, **kwargs):
        return ", ".join(code if units == 1 else f"{code}*{units}" for code, units in (value or {}).items())


class ArticleResource(CsvResource, resources.ModelResource):
    required = ("sku",)
    codes = fields.Field("wanted_codes", "codes", widget=CodesWidget())

    class Meta:
        model = Article
        import_id_fields = ("sku",)
        fields = (
            "sku",
            "title",
            "codes",
            "image_url",
            "weight_g",
            "length_mm",
            "width_mm",
            "height_mm",
            "customs_description",
            "hs_code",
            "origin_country",
            "customs_value",
            "customs_currency",
        )
        import_order = export_order = fields
        use_bulk = True
        skip_unchanged = True
        instance_loader_class = instance_loaders.CachedInstanceLoader

    def prepare(self, rows):
        self.changed_codes, self.owners, self.stored = {}, {}, collections.defaultdict(dict)
        for code, units, sku in ArticleCode.objects.values_list("code", "units", "article__sku"):
            self.owners[code] = sku
            self.stored[sku][code] = units

    def dehydrate_codes(self, article):
        return CodesWidget().render({code.code: code.units for code in article.codes.all()})

    def after_init_instance(self, instance, new, row, **kwargs):
        self.check_once(row["sku"], "sku", kwargs["row_number"])
        instance.wanted_codes = dict(self.stored.get(row["sku"], {}))

    def validate_instance(self, instance, import_validation_errors=None, validate_unique=True):
        errors = dict(import_validation_errors or {})
        for code in instance.wanted_codes:
            owner = self.owners.setdefault(code, instance.sku)
            if owner != instance.sku:
                message = _("%(code)s belongs to article %(sku)s.") % {"code": code, "sku": owner}
                errors.setdefault("wanted_codes", []).append(ValidationError(message))
        try:
            # Uniqueness needs no query per row: the SKU finds its article, and a second row for it is refused.
            instance.full_clean(exclude=errors, validate_unique=False, validate_constraints=False)
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        super().validate_instance(instance, errors, validate_unique)

    def before_save_instance(self, instance, row, **kwargs):
        instance.version += 1
        instance.modified_at = self.now
        if instance.wanted_codes != self.stored.get(instance.sku, {}):
            self.changed_codes[instance.sku] = instance.wanted_codes

    def get_bulk_update_fields(self):
        return [name for name in self._meta.fields if name not in {"sku", "codes"}] + [
            "version",
            "modified_at",
        ]

    def after_import(self, dataset, result, **kwargs):
        if result.has_errors() or result.has_validation_errors() or not self.changed_codes:
            return
        articles = {}
        for batch in row_tools.batches(sorted(self.changed_codes)):
            articles |= dict(Article.objects.filter(sku__in=batch).values_list("sku", "pk"))
            ArticleCode.objects.filter(article__sku__in=batch).delete()
        ArticleCode.objects.bulk_create(
            (
                ArticleCode(article_id=articles[sku], code=code, units=units)
                for sku, codes in self.changed_codes.items()
                for code, units in codes.items()
            ),
            batch_size=1000,
        )


class LocationResource(CsvResource, resources.ModelResource):
    """Storage locations: a facility's number and a name find one; a zone that is not there yet is made."""

    required = ("facility", "name")
    facility = fields.Field("facility__tenant_facility_id", "facility", readonly=True)
    zone = fields.Field("wanted_zone", "zone", widget=widgets.CharWidget())
    scannable_codes = fields.Field("scannable_codes", "scannable_codes", widget=ListWidget())
    type = fields.Field("type", "type", widget=ChoiceWidget(StorageLocation.Type))

    class Meta:
        model = StorageLocation
        import_id_fields = ("facility", "name")
        fields = (
            "facility",
            "name",
            "zone",
            "type",
            "running_sequence",
            "aisle",
            "bay",
            "level",
            "scannable_codes",
            "is_pickable",
            "is_accessible",
        )
        import_order = export_order = fields
        use_bulk = True
        skip_unchanged = True

    def prepare(self, rows):
        self.facilities, self.zones = {}, {}
        for batch in row_tools.batches(sorted({row["facility"] for row in rows})):
            found = Facility.objects.filter(tenant_facility_id__in=batch)
            self.facilities |= {facility.tenant_facility_id: facility for facility in found}
        here = [facility.pk for facility in self.facilities.values()]
        for zone in Zone.objects.filter(facility__in=here):
            self.zones[zone.facility_id, zone.name] = zone
        stored = StorageLocation.objects.filter(facility__in=here).select_related("facility", "zone")
        self.stored = {(location.facility.tenant_facility_id, location.name): location for location in stored}

    def dehydrate_zone(self, location):
        return location.zone.name if location.zone else ""

    def get_instance(self, instance_loader, row):
        return self.stored.get((self.text(row, "facility"), self.text(row, "name")))

    def after_init_instance(self, instance, new, row, **kwargs):
        number = self.text(row, "facility")
        self.check_once((number, self.text(row, "name")), "name", kwargs["row_number"])
        instance.wanted_zone = instance.zone.name if instance.zone else ""
        if new and number in self.facilities:
            instance.facility = self.facilities[number]

    def validate_instance(self, instance, import_validation_errors=None, validate_unique=True):
        errors = dict(import_validation_errors or {})
        if instance.facility_id is None:
            errors["facility"] = [ValidationError(_("There is no facility of this number."))]
        if len(instance.scannable_codes) > MOST_CODES:
            errors["scannable_codes"] = [ValidationError(_("At most five codes."))]
        wanted = instance.wanted_zone.strip()
        longest = Zone._meta.get_field("name").max_length
        if len(wanted) > longest:
            errors["wanted_zone"] = [
                ValidationError(_("At most %(most)s characters."), params={"most": longest})
            ]
        try:
            # Uniqueness needs no query per row: facility and name find the location, and a second row is refused.
            instance.full_clean(exclude={*errors, "zone"}, validate_unique=False, validate_constraints=False)
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        if (instance.aisle is None) != (instance.bay is None):
            errors.setdefault("aisle", [ValidationError(_("Give both aisle and bay, or neither."))])
        super().validate_instance(instance, errors, validate_unique)

    def before_save_instance(self, instance, row, **kwargs):
        instance.version += 1
        instance.modified_at = self.now
        instance.zone = self.zone_of(instance)

    def zone_of(self, location):
        name = location.wanted_zone.strip()
        if not name:
            return None
        key = location.facility_id, name
        if key not in self.zones:
            self.zones[key] = Zone.objects.create(facility_id=location.facility_id, name=name)
        return self.zones[key]

    def get_bulk_update_fields(self):
        return [name for name in self._meta.fields if name not in {"facility", "name"}] + [
            "version",
            "modified_at",
        ]


@dataclasses.dataclass
class CountedRow:
    """One row of a stock file: what is stored, then what was counted."""

    facility: str = ""
    sku: str = ""
    location: str = ""
    expires_on: datetime.date | None = None
    units: int | None = None

    @property
    def place(self):
        return (self.facility, self.sku, self.location, self.expires_on)


class UnitsWidget(widgets.Widget):
    def clean(self, value, row=None, **kwargs):
        text = str(value or "").strip()
        if not (text.isascii() and text.isdigit()) or int(text) > stock_service.MOST_UNITS:
            raise ValueError(
                _("Units are a whole number from 0 to %(most)s.") % {"most": stock_service.MOST_UNITS}
            )
        return int(text)

    def render(self, value, obj=None, **kwargs):
        return "" if value is None else str(value)


class StockResource(CsvResource):
    """Counted values by facility number, SKU and location. Sound stock only: defective units stay as they are."""

    required = ("facility", "sku", "units")
    facility = fields.Field("facility", "facility", widget=widgets.CharWidget())
    sku = fields.Field("sku", "sku", widget=widgets.CharWidget())
    location = fields.Field("location", "location", widget=widgets.CharWidget())
    expires_on = fields.Field("expires_on", "expires_on", widget=widgets.DateWidget("%Y-%m-%d"))
    units = fields.Field("units", "units", widget=UnitsWidget())

    class Meta:
        import_id_fields = ()
        instance_loader_class = instance_loaders.BaseInstanceLoader
        import_order = export_order = ("facility", "sku", "location", "expires_on", "units")
        use_bulk = True  # nothing is saved per row, so no savepoint per row either
        skip_unchanged = True

    @classmethod
    def get_display_name(cls):
        return cls.__name__

    def dehydrate_facility(self, row):
        return row.listing.facility.tenant_facility_id

    def dehydrate_sku(self, row):
        return row.listing.article.sku

    def dehydrate_location(self, row):
        return row.location.name if row.location else ""

    def dehydrate_units(self, row):
        return str(row.value)

    def prepare(self, rows):
        self.counts, self.facilities, self.articles = [], {}, {}
        for batch in row_tools.batches(sorted({row["facility"] for row in rows})):
            found = Facility.objects.filter(tenant_facility_id__in=batch)
            self.facilities |= dict(found.values_list("tenant_facility_id", "pk"))
        for batch in row_tools.batches(sorted({row["sku"] for row in rows})):
            self.articles |= dict(Article.objects.filter(sku__in=batch).values_list("sku", "pk"))
        here = set(self.facilities.values())
        self.locations = {
            (facility, name): pk
            for pk, facility, name in StorageLocation.objects.filter(facility__in=here).values_list(
                "pk", "facility__tenant_facility_id", "name"
            )
        }
        self.stored = {}
        for batch in row_tools.batches(sorted(self.articles.values())):
            rows = Stock.objects.filter(
                listing__facility__in=here, listing__article__in=batch, is_defective=False
            )
            self.stored |= {
                (facility, sku, location or "", expires_on): value
                for facility, sku, location, expires_on, value in rows.values_list(
                    "listing__facility__tenant_facility_id",
                    "listing__article__sku",
                    "location__name",
                    "expires_on",
                    "value",
                )
            }

    def get_instance(self, instance_loader, row):
        day = self.fields["expires_on"].widget
        try:
            expires_on = day.clean(row.get("expires_on") or None)
        except ValueError:
            return None  # the row is refused when it is read
        stored = CountedRow(*(self.text(row, name) for name in ("facility", "sku", "location")), expires_on)
        stored.units = self.stored.get(stored.place)
        return None if stored.units is None else stored

    def init_instance(self, row=None):
        return CountedRow()

    def validate_instance(self, instance, import_validation_errors=None, validate_unique=True):
        errors = dict(import_validation_errors or {})
        if instance.facility not in self.facilities:
            errors["facility"] = [
                _("There is no facility %(number)s.") % {"number": instance.facility or "–"}
            ]
        if instance.sku not in self.articles:
            errors["sku"] = [_("There is no article %(sku)s.") % {"sku": instance.sku or "–"}]
        if (
            instance.location
            and instance.facility in self.facilities
            and (instance.facility, instance.location) not in self.locations
        ):
            errors["location"] = [
                _("%(facility)s has no storage location %(name)s.")
                % {"facility": instance.facility, "name": instance.location}
            ]
        if errors:
            raise ValidationError(errors)

    def import_instance(self, instance, row, **kwargs):
        super().import_instance(instance, row, **kwargs)
        self.check_once(instance.place, "sku", kwargs["row_number"])

    def save_instance(self, instance, is_create, row, **kwargs):
        self.counts.append(
            stock_service.Count(
                facility_id=self.facilities[instance.facility],
                article_id=self.articles[instance.sku],
                value=instance.units,
                location_id=self.locations[instance.facility, instance.location]
                if instance.location
                else None,
                expires_on=instance.expires_on,
            )
        )

    def after_import(self, dataset, result, **kwargs):
        if result.has_errors() or result.has_validation_errors() or not self.counts:
            return
        stock_service.count_many(
            self.counts, by=self.user, now=self.now, reason=kwargs.get("file_name") or ""
        )
