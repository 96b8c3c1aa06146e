"""A browser without JavaScript: reads pages, fills in their forms, follows where they lead."""

import dataclasses
import re
import time
from html.parser import HTMLParser

import httpx

VOID_TYPES = {"submit", "button", "image", "reset", "file"}
VOID_TAGS = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "track",
    "wbr",
}
UNSEEN_TAGS = {"head", "script", "style", "template"}


class PageError(Exception):
    """A page is not what a person would need to go on; the message says which and why."""


@dataclasses.dataclass
class Form:
    """A form as the page shows it: where it goes and what it sends when nothing is changed."""

    action: str
    method: str = "get"
    id: str = ""
    fields: dict[str, str] = dataclasses.field(default_factory=dict)
    choices: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    limits: dict[str, str] = dataclasses.field(default_factory=dict)
    buttons: list[tuple[str, str]] = dataclasses.field(default_factory=list)


class _Reader(HTMLParser):
    """Collects what a person sees: parts with ``hidden`` do not count."""

    def __init__(self):
        super().__init__()
        self.forms, self.links, self.words = [], [], []
        self.form, self.select, self.area, self.elsewhere = None, None, None, []
        self.unseen, self.depth = None, 0  # the tag of the part that nobody sees, and how often it is open

    def handle_starttag(self, tag, attrs):
        attrs = {name: value or "" for name, value in attrs}
        if self.unseen is None and tag not in VOID_TAGS and (tag in UNSEEN_TAGS or "hidden" in attrs):
            self.unseen = tag
        if self.unseen is not None:
            self.depth += tag == self.unseen
            return
        if tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])
        elif tag == "form":
            self.form = Form(attrs.get("action", ""), attrs.get("method", "get").lower(), attrs.get("id", ""))
            self.forms.append(self.form)
        elif tag in {"input", "select", "textarea", "button"} and attrs.get("name"):
            if "form" in attrs:
                self.elsewhere.append((tag, attrs))
            elif self.form is not None:
                self.control(self.form, tag, attrs)
        elif tag == "option" and self.select is not None:
            form, name = self.select
            form.choices[name].append(attrs.get("value", ""))
            if "selected" in attrs or len(form.choices[name]) == 1:
                form.fields[name] = attrs.get("value", "")

    def control(self, form, tag, attrs):
        name, kind = attrs["name"], attrs.get("type", "text").lower()
        if tag == "button" or kind in VOID_TYPES:
            form.buttons.append((name, attrs.get("value", "")))
        elif tag == "select":
            form.choices[name] = []
            form.fields[name] = ""
            self.select = form, name
        elif tag == "textarea":
            form.fields[name] = ""
            self.area = form, name
        elif kind not in {"checkbox", "radio"} or "checked" in attrs:
            form.fields[name] = attrs.get("value", "on" if kind == "checkbox" else "")
            if "max" in attrs:
                form.limits[name] = attrs["max"]

    def handle_endtag(self, tag):
        if self.unseen is not None:
            self.depth -= tag == self.unseen
            if not self.depth:
                self.unseen = None
            return
        if tag == "form":
            self.form = None
        elif tag == "select":
            self.select = None
        elif tag == "textarea":
            self.area = None

    def handle_data(self, data):
        if self.unseen is not None:
            return
        if self.area is not None:
            form, name = self.area
            form.fields[name] += data
        else:
            self.words += data.split()

    def close(self):
        super().close()
        # Controls outside their form name it by its id.
        by_id = {form.id: form for form in self.forms if form.id}
        for tag, attrs in self.elsewhere:
            if attrs["form"] in by_id:
                self.control(by_id[attrs["form"]], tag, attrs)


class Page:
    """What came back: address, status, forms, links and words in the order of the page."""

    def __init__(self, url, status, text):
        reader = _Reader()
        reader.feed(text)
        reader.close()
        self.url, self.status, self.text = url, status, text
        self.forms, self.links, self.words = reader.forms, reader.links, reader.words

    def form(self, action, **fields):
        """The first form whose action ends so and which holds these values; None without one."""
        for form in self.forms:
            target = form.action or httpx.URL(self.url).path
            if target.endswith(action) and all(
                form.fields.get(name) == value for name, value in fields.items()
            ):
                return form
        return None

    def links_to(self, pattern):
        """The addresses that match as a whole, each once, in the order of the page."""
        return [link for link in dict.fromkeys(self.links) if re.fullmatch(pattern, link)]


class Browser:
    """One signed-in person. Every answer is timed under the name of its step."""

    def __init__(self, url, timings, transport=None):
        self.client = httpx.Client(base_url=url, follow_redirects=True, timeout=60, transport=transport)
        self.timings = timings

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.client.close()

    def _answer(self, step, method, address, *, may_refuse=False, **what):
        start = time.perf_counter()
        response = self.client.request(method, address, **what)
        self.timings.setdefault(step, []).append(time.perf_counter() - start)
        if response.status_code != httpx.codes.OK and not (
            may_refuse and response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        ):
            raise PageError(f"{method} {address} answered {response.status_code}.")
        return Page(str(response.url), response.status_code, response.text)

    def open(self, address, step="open a page"):
        """Read a page; refuses every answer but 200."""
        return self._answer(step, "GET", address)

    def send(self, page, form, step, *, may_refuse=False, **values):
        """Send a form of the page with these values changed, as its button does."""
        if form is None:
            raise PageError(f"{page.url} has no form to {step}.")
        data = {**form.fields, **values}
        address = form.action or page.url
        headers = {"Referer": page.url}
        return self._answer(
            step, form.method.upper(), address, data=data, headers=headers, may_refuse=may_refuse
        )

    def sign_in(self, email, password):
        """Sign in with the form of the login page; refuses a wrong password."""
        page = self.open("/login/")
        page = self.send(page, page.form("/login/"), "sign in", username=email, password=password)
        if httpx.URL(page.url).path == "/login/":
            raise PageError(f"{email} cannot sign in with this password.")
        return page
