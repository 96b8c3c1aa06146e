"""What must be so before units are booked on a line: enough of them open, the right place, what the article wants recorded."""

from django.utils.translation import gettext as _

from fulfillment.core.access import permissions_at
from fulfillment.core.models import Permission
from fulfillment.core.models.facility import ScanRule

from . import queries, recordables
from .refusals import (
    AttributeMissing,
    LocationFirst,
    MustScan,
    MustScanEach,
    RecordMissing,
    SerialOneByOne,
    SerialTwice,
    TooMany,
    WeightOff,
)


def may_count(user, facility):
    """Whether what a user counts at a place corrects its stock."""
    return facility.counts_on_short_pick or Permission.STOCK in permissions_at(user, facility)


def may_override(user, facility):
    """Whether a user may enter units where the rules ask for scans."""
    return Permission.SUPERVISE in permissions_at(user, facility)


def check_units(line, units):
    """Refuse more units than are open."""
    if units > line.open_units or not line.open_units:
        raise TooMany(open=line.open_units, title=line.shown_title)


def check_entering(line, facility):
    """Refuse units that are entered by hand where the rules ask for a scan of the article or of the place."""
    if facility.article_scan == ScanRule.EACH:
        raise MustScanEach(title=line.shown_title)
    if facility.article_scan == ScanRule.FIRST and not line.is_scanned:
        raise MustScan(title=line.shown_title)
    check_place(line, facility)


def check_place(line, facility):
    """Refuse when the rule wants the place scanned from which the next unit comes."""
    if facility.location_scan == ScanRule.NOT_REQUIRED:
        return
    here = next(iter(queries.places_of(line)), None)
    if here is not None and line.place_id != here.pk:
        raise LocationFirst(expected=here.name)


def record(event, line, units, *, lot, serial, expires_on, weight):
    """Keep with the event what the article wants recorded of its units; refuses when it is not known."""
    article = line.article
    if units >= line.open_units and (names := recordables.missing(line)):
        raise AttributeMissing(title=line.shown_title, parts=", ".join(names))
    asked = [
        (article.records_lot, lot, _("lot")),
        (article.records_expiry, expires_on, _("expiry date")),
        (article.records_serial, serial, _("serial number")),
        (article.is_weighed, weight, _("weight")),
    ]
    if missing := [str(name) for is_asked, value, name in asked if is_asked and not value]:
        raise RecordMissing(title=line.shown_title, parts=", ".join(missing))
    if article.is_weighed:
        least, most = article.weight_range(units)
        if not least <= weight <= most:
            raise WeightOff(title=line.shown_title, weight=weight, least=least, most=most)
        event.weight_g = weight
    event.lot, event.serial, event.expires_on = lot[:20], serial[:20], expires_on
    if article.records_serial:
        if units != 1:
            raise SerialOneByOne(title=line.shown_title)
        if queries.recorded(line.order_line).filter(serial=event.serial).exists():
            raise SerialTwice(serial=event.serial)
