"""Every text for people is in the German catalogue, and the compiled catalogue is the one beside it."""

import ast
import re
from pathlib import Path

import polib
import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse
from django.utils import translation
from django.utils.translation.template import templatize

from fulfillment.core.models import Listing
from picking.models import ScanEvent
from tests.factories.core import staff
from tests.factories.orders import OrderFactory

ROOT = Path(__file__).parent.parent
SOURCES = [
    path
    for app in ("fulfillment", "orders", "routing", "picking", "packing", "shipping")
    for path in sorted((ROOT / app).rglob("*.py"))
    if "migrations" not in path.parts
]
TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*.*") if path.suffix in {".html", ".txt"})
CATALOGUE = ROOT / "fulfillment/locale/de/LC_MESSAGES/django.po"

# Which arguments of a call are texts: gettext(text), ngettext(one, many, n), pgettext(context, text).
TEXT_ARGUMENTS = {
    "_": (0,),
    "gettext": (0,),
    "gettext_lazy": (0,),
    "gettext_noop": (0,),
    "ngettext": (0, 1),
    "ngettext_lazy": (0, 1),
    "pgettext": (1,),
    "pgettext_lazy": (1,),
    "npgettext": (1, 2),
}
LITERAL = r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
TEMPLATE_CALL = re.compile(rf"\b(_|gettext|ngettext|pgettext|npgettext)\(({LITERAL}(?:,\s*{LITERAL})*)")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")


def texts_of_module(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            for position in TEXT_ARGUMENTS.get(node.func.id, ()):
                if position < len(node.args) and isinstance(node.args[position], ast.Constant):
                    yield node.args[position].value


def texts_of_template(path):
    for name, literals in TEMPLATE_CALL.findall(templatize(path.read_text(), origin=str(path))):
        arguments = [ast.literal_eval(literal) for literal in re.findall(LITERAL, literals)]
        for position in TEXT_ARGUMENTS[name]:
            yield arguments[position]


@pytest.fixture(scope="module")
def catalogue():
    return polib.pofile(str(CATALOGUE))


def test_every_text_is_in_the_catalogue(catalogue):
    known = {entry.msgid for entry in catalogue} | {entry.msgid_plural for entry in catalogue}

    missing = {
        text
        for found in (*map(texts_of_module, SOURCES), *map(texts_of_template, TEMPLATES))
        for text in found
        if text not in known
    }

    assert missing == set(), "run `make messages` and translate what is new"


def test_every_text_is_translated(catalogue):
    assert [entry.msgid for entry in catalogue.untranslated_entries() + catalogue.fuzzy_entries()] == []


def test_translations_keep_the_placeholders(catalogue):
    wrong = [
        entry.msgid
        for entry in catalogue
        for text in (entry.msgstr, *entry.msgstr_plural.values())
        if text
        and set(PLACEHOLDER.findall(text)) != set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
    ]

    assert wrong == []


def test_german_has_one_word_for_one_thing(catalogue):
    """An order is a *Bestellung*, a job an *Auftrag*; a revision is a *Fassung*, a store a *Geschäft*."""
    others = []
    for entry in catalogue:
        english = f"{entry.msgid} {entry.msgid_plural}"
        german = " ".join([entry.msgstr, *entry.msgstr_plural.values()])
        if re.search(r"\b(Revision|Filiale|Einheit)", german):
            others.append(entry.msgid)
        is_order = re.search(r"\borders?\b", english, re.IGNORECASE) and not re.search(
            r"\bjobs?\b|fulfillment orders", english
        )
        if is_order and re.search(r"[Aa]uftr[aä]g", german):
            others.append(entry.msgid)

    assert others == []


def test_sections_of_the_administration_have_names_of_their_own():
    names = [model._meta.verbose_name_plural for model in admin.site._registry]

    with translation.override("de"):
        german = [str(name) for name in names]
        assert str(apps.get_app_config("overview").verbose_name) == "Verbundene Programme"
    assert sorted(german) == sorted(set(german))


def test_compiled_catalogue_is_up_to_date(catalogue):
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))

    assert {entry.msgid: (entry.msgstr, entry.msgstr_plural) for entry in compiled} == {
        entry.msgid: (entry.msgstr, entry.msgstr_plural) for entry in catalogue if not entry.obsolete
    }


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "words"), [("en", "5 Nov 2026, 14:30"), ("de", "05.11.2026 14:30")])
def test_page_has_the_dates_of_its_language(client, language, words):
    client.force_login(staff("administrator"))
    order_page = reverse("overview:order-detail", args=[OrderFactory(orderDate="2026-11-05T14:30:00Z").pk])

    with translation.override(language):  # a request leaves its language behind
        page = client.get(order_page, headers={"accept-language": language})

    assert page.headers["Content-Language"] == language
    assert words in page.content.decode()


def test_names_made_from_the_code_are_translated_too():
    with translation.override("de"):
        assert str(Listing._meta.get_field("facility").verbose_name) == "Standort"
        assert str(ScanEvent._meta.verbose_name_plural) == "Scans"
        assert str(apps.get_app_config("orders").verbose_name) == "Bestellungen"
