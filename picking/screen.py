"""A job as the device keeps it (``static/js/pickjob.js``): enough to pick it to the end without a connection."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from . import queries, recordables


def screen_data(walk, job, *, may_override, history, choices=None):
    """The job, its rules and its lines, with what may be taken instead (``substitutes.choices_for``)."""
    choices = choices or {}
    facility = job.facility
    parts = part_names()
    return {
        "id": str(job.pk),
        "name": job.short_id,
        "version": job.version,
        "rules": {
            "article": facility.article_scan,
            "location": facility.location_scan,
            "override": may_override,
            "unknown": facility.counts_unknown_codes,
            "reasons": facility.short_reasons,
        },
        "parts": [[part, str(name)] for part, name in parts.items()],
        "history": history,
        "lines": [
            {
                **_article_data(line.shown_title, line.article, _codes_of(line), parts),
                "id": str(line.pk),
                "quantity": line.quantity,
                "picked": line.picked,
                "short": line.short,
                "reason": line.short_reason,
                "place": str(line.place_id or ""),
                "is_scanned": line.is_scanned,
                "attributes": attributes_data(line),
                "replaces": str(line.replaces_id or ""),
                "shop_title": line.shop_title,
                "instead": line.replaces.shown_title if line.replaces else "",
                "places": [
                    _place_data(place)
                    for place in queries.places(line, line.allocations.all(), gone=0, with_unknown=True)
                ],
                "substitutes": [
                    _choice_data(choice, parts)
                    for choice in ([] if line.replaces_id else choices.get(line.article_id, []))
                ],
            }
            for line in walk.lines
        ],
    }


def part_names():
    """What may be recorded of units, in words: ``{part: name}``."""
    return {
        "lot": _("lot"),
        "expiry": _("expiry date"),
        "serial": _("serial number"),
        "weight": _("weight"),
    }


# What some articles want recorded: part, field of the action, type of its field, label.
RECORDED_PARTS = [
    ("lot", "lot", "text", gettext_lazy("Lot")),
    ("expiry", "expires_on", "date", gettext_lazy("Expiry date")),
    ("serial", "serial", "text", gettext_lazy("Serial number")),
    ("weight", "weight", "number", gettext_lazy("Weight of all (g)")),
]


def asked_parts(walk):
    """The fields of what may be recorded, with whether the current line asks for each."""
    asked = recorded_parts(walk.current.article) if walk.current else []
    return [(*part, part[0] in asked) for part in RECORDED_PARTS]


def recorded_parts(article):
    """What is recorded of each unit of an article: of ``lot``, ``expiry``, ``serial`` and ``weight``."""
    asked = {
        "lot": article.records_lot,
        "expiry": article.records_expiry,
        "serial": article.records_serial,
        "weight": article.is_weighed,
    }
    return [part for part, is_asked in asked.items() if is_asked]


def _article_data(title, article, codes, parts):
    own = [code.code for code in article.codes.all() if code.units == 1]
    return {
        "title": title,
        "sku": article.sku,
        "tail": own[0][-4:] if own else "",
        "image": article.image_url,
        "codes": codes,
        "records": [[part, str(name)] for part, name in parts.items() if part in recorded_parts(article)],
        "weight": [article.weight_g, article.weight_tolerance] if article.is_weighed else None,
    }


def attributes_data(line):
    """What is recorded of the units of a line, see ``recordables``: ``[[id, name, value, whether it must be]]``."""
    return [[one.id, one.name, one.value, one.is_mandatory] for one in recordables.shown(line)]


def line_state(line):
    """The figures of a line as the screen keeps them."""
    return {
        "id": str(line.pk),
        "quantity": line.quantity,
        "picked": line.picked,
        "short": line.short,
        "status": line.status,
        "reason": line.short_reason,
        "place": str(line.place_id or ""),
        "is_scanned": line.is_scanned,
        "attributes": attributes_data(line),
    }


def _choice_data(choice, parts):
    codes = _by_code(choice.article, choice.listing.scannable_codes)
    rows = [row for row in choice.rows if row.free > 0]
    return {
        **_article_data(choice.title, choice.article, codes, parts),
        "free": choice.free,
        "places": [_place_data(queries.place_at(row.location, row.free)) for row in rows],
    }


def _place_data(place):
    return {
        "id": str(place.pk or ""),
        "name": place.name,
        "zone": place.zone,
        "codes": place.codes,
        "quantity": place.quantity,
    }


def _codes_of(line):
    of_order = [] if line.replaces_id else line.order_line.scannable_codes
    return _by_code(line.article, [*of_order, *line.listing.scannable_codes])


def _by_code(article, others):
    """``{code: units}``; a number without its leading zeros, as the scanner may send more or fewer of them."""
    found = {code.code: code.units for code in article.codes.all()}
    for code in others:
        found.setdefault(code, 1)
    return {
        code.lstrip("0") if code.isdigit() and 8 <= len(code) <= 14 else code: units
        for code, units in found.items()
    }
