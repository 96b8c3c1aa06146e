"""The building blocks of the pages: each says in words what it says in colour, and shows only what one may open."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django import forms
from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template import Context, Template
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from fulfillment.core.templatetags import ui
from tests.factories.core import FacilityFactory, staff

BEGINNINGS = {"OPEN", "INITIAL", "CREATED", "FREE", "ANNOUNCED", "registered"}


class ScanForm(forms.Form):
    code = forms.CharField(label="Code", help_text="On the shelf")
    note = forms.CharField(label="Note", required=False)
    sure = forms.BooleanField(label="Sure", required=False)


STEP = re.compile(r"""(?:touch|log_change)\(\s*(?:[^()"]|\([^()]*\))*?,\s*"([a-z_ ]+)\"""")


def render(source, **context):
    return Template("{% load ui %}" + source).render(Context(context))


class TestStatusBadge:
    def test_shows_word_icon_and_tone(self):
        thing = SimpleNamespace(status="CLOSED", get_status_display=lambda: "Closed & done")

        html = render("{% status_badge thing %}", thing=thing)

        assert "badge-good" in html
        assert "<svg" in html
        assert "Closed &amp; done" in html

    def test_every_status_of_the_system_has_a_tone_or_is_a_beginning(self):
        without = {
            value
            for model in apps.get_models()
            for field in model._meta.get_fields()
            if field.name == "status" and getattr(field, "choices", None)
            for value, _label in field.choices
            if value not in ui.TONE_OF
        }

        assert without <= BEGINNINGS

    def test_every_step_that_leaves_the_status_has_a_word(self):
        parts = ["orders", "routing", "picking", "packing", "shipping"]
        files = [path for part in parts for path in (settings.BASE_DIR / part).rglob("*.py")]

        steps = {step for path in files for step in STEP.findall(path.read_text())}

        assert {"record", "set code", "load units"} <= steps
        assert steps <= ui.STEPS.keys()


class TestIcon:
    def test_is_hidden_from_screen_readers(self):
        assert 'aria-hidden="true"' in ui.icon("check")

    def test_has_the_class_that_styles_it(self):
        assert ' class="icon"' in ui.icon("check")


class TestProgress:
    @pytest.mark.parametrize(
        ("done", "total", "words", "width"),
        [(7, 12, "7 of 12", "58"), (0, 0, "0 of 0", "0"), (None, 3, "0 of 3", "0"), (5, 3, "5 of 3", "100")],
    )
    def test_says_its_figures(self, done, total, words, width):
        html = ui.progress(done, total)

        assert words in html
        assert f'width="{width}" height="4"' in html

    def test_marks_what_is_complete(self):
        assert "is-full" in ui.progress(3, 3)
        assert "is-full" not in ui.progress(2, 3)

    def test_has_no_inline_style(self):
        assert "style=" not in ui.progress(1, 2)


class TestField:
    def test_ties_label_help_and_error_to_the_input(self):
        html = render("{% field form.code %}", form=ScanForm({"code": ""}))

        assert '<label for="id_code">Code</label>' in html
        assert 'aria-invalid="true"' in html
        noted = re.search(r'aria-describedby="([^"]+)"', html)[1].split()
        assert noted == ["id_code-help", "id_code-error"]
        assert all(f'id="{note}"' in html for note in noted)

    def test_marks_what_may_stay_empty(self):
        form = ScanForm()

        assert "optional" in ui.field(form["note"])
        assert "optional" not in ui.field(form["code"])
        assert "optional" not in ui.field(form["sure"])

    def test_form_fields_show_what_is_wrong_with_the_whole(self):
        form = ScanForm({"code": "x"})
        form.add_error(None, "Too <late>")

        html = ui.form_fields(form)

        assert 'role="alert"' in html
        assert "Too &lt;late&gt;" in html
        assert html.index("Too") < html.index("id_code")


class TestGrams:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(None, "–"), (0, "0 g"), (999, "999 g"), (1000, "1 kg"), (1250, "1.25 kg"), (12340, "12.34 kg")],
    )
    def test_reads_like_a_scale(self, value, text):
        assert ui.grams(value) == text


class TestPagesWithoutALogin:
    @pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500"])
    @pytest.mark.parametrize("language", ["en", "de"])
    def test_error_pages_need_no_request_and_lead_on(self, name, language):
        with translation.override(language):
            html = render_to_string(f"{name}.html")

        assert f'lang="{language}"' in html
        assert 'href="/"' in html
        assert html.count("<h1>") == 1

    def test_login_offers_the_languages(self, client, db):
        page = client.get(reverse("login")).content.decode()

        assert 'value="de"' in page
        assert 'value="en"' in page
        assert 'type="password"' in page


@pytest.mark.django_db
class TestNavigation:
    def page(self, client, user, url):
        client.force_login(user)
        return client.get(url).content.decode()

    def entries(self, page):
        nav = re.search(r'<nav class="nav".*?</nav>', page, re.S)
        return re.findall(r"<span>(.*?)</span>", nav[0]) if nav else []

    def test_shows_a_picker_only_picking(self, client):
        facility = FacilityFactory()

        page = self.page(
            client, staff("picker", facility), reverse("overview:facility-home", args=[facility.slug])
        )

        assert self.entries(page) == ["Pick"]
        assert "Administration" not in page

    def test_shows_a_supervisor_every_station_and_marks_where_one_is(self, client):
        facility = FacilityFactory()

        page = self.page(
            client, staff("supervisor", facility), reverse("core:stock-list", args=[facility.slug])
        )

        assert self.entries(page) == ["Pick", "Pack", "Labels", "Handover", "Stock"]
        current = re.findall(r'<a\s+href="([^"]+)"\s+aria-current="page"', page)
        assert current == [reverse("core:stock-list", args=[facility.slug])]

    def test_offers_the_facilities_of_the_user_and_no_other(self, client):
        here, there, foreign = (
            FacilityFactory(name="Here"),
            FacilityFactory(name="There"),
            FacilityFactory(name="Foreign"),
        )

        page = self.page(
            client,
            staff("supervisor", here, there),
            reverse("overview:facility-home", args=[here.slug]),
        )

        assert reverse("overview:facility-home", args=[there.slug]) in page
        assert reverse("overview:facility-home", args=[foreign.slug]) not in page

    def test_shows_headquarters_the_network(self, client):
        page = self.page(client, staff("administrator"), reverse("overview:order-list"))

        assert self.entries(page)[:2] == ["Orders", "Routing"]
        assert reverse("admin:index") in page

    def test_every_page_has_a_skip_link_and_signs_out_by_post(self, client):
        page = self.page(client, staff("administrator"), reverse("overview:order-list"))

        assert 'href="#content"' in page
        assert '<form method="post" action="/logout/">' in page


class TestStyles:
    """Tokens are colours that people with weak eyes can tell apart: measured, not believed."""

    PAIRS = [
        ("ink", "paper", 7),
        ("ink", "ground", 7),
        ("muted", "paper", 4.5),
        ("muted", "ground", 4.5),
        ("brand", "paper", 4.5),
        ("brand", "ground", 4.5),
        ("on-brand", "brand", 4.5),
        ("brand-strong", "brand-soft", 4.5),
        ("ink", "brand-soft", 4.5),
        ("good", "good-soft", 4.5),
        ("bad", "bad-soft", 4.5),
        ("bad", "paper", 4.5),
        ("ink", "warn-soft", 4.5),
        ("on-warn", "warn", 4.5),
        ("border", "paper", 3),
    ]

    def tokens(self, scheme):
        text = Path(finders.find("css/tokens.css")).read_text()
        light, dark = text.split("@media (prefers-color-scheme: dark)")
        found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
        if scheme == "dark":
            found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))
        return found

    @staticmethod
    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize(("front", "back", "least"), PAIRS)
    def test_contrast(self, scheme, front, back, least):
        tokens = self.tokens(scheme)
        bright, dim = sorted((self.luminance(tokens[front]), self.luminance(tokens[back])), reverse=True)

        assert (bright + 0.05) / (dim + 0.05) >= least
