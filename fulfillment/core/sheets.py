"""Sheets to print at the own printer: labels of places and the badge of a person, with codes that are read back in tests."""

from django.utils.safestring import mark_safe

from .barcodes import CODE_128, code_svg
from .pdf import render_pdf

MOST_LABELS = 500
CODE_MM = (58, 14)


def labelled(code, words, detail=""):
    """One label: a code as a picture, what it is in words, and the code as text."""
    return {
        "picture": mark_safe(code_svg(code, CODE_128, *CODE_MM)),
        "code": code,
        "words": words,
        "detail": detail,
    }


def sheet(title, labels, language):
    """An A4 sheet of labels as PDF."""
    context = {"title": title, "labels": labels}
    return render_pdf("documents/sheet.html", context, stylesheet="documents/sheet.css", language=language)


def code_of(location):
    """What a scanner reads at a place: its first code, else its name."""
    return location.scannable_codes[0] if location.scannable_codes else location.name


def location_labels(facility, locations, language):
    labels = [
        labelled(code_of(place), place.name, place.zone.name if place.zone else "") for place in locations
    ]
    return sheet(facility.name, labels, language)


def badge(user, facility, code, language):
    return sheet(facility.name, [labelled(code, str(user))], language)
