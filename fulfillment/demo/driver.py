"""Works like people do, over HTTP: signs in, opens pages, fills in their forms. No JavaScript, no database."""

import re
import statistics
import time
from collections import defaultdict
from html.parser import HTMLParser

import httpx

GIVE_UP = 120  # seconds without any progress


class StuckError(Exception):
    """A page does not offer what a person would do next."""


class Form:
    """A form of a page with the values it would send."""

    def __init__(self, action, method):
        self.action, self.method, self.fields = action, method, {}

    def filled(self, **values):
        """What the form sends with these values put in."""
        return {**self.fields, **values}


class Page(HTMLParser):
    """The links and forms of a page."""

    def __init__(self, html):
        super().__init__()
        self.forms, self.links, self._form, self._select, self._by_id = [], [], None, None, {}
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag == "form":
            self._form = Form(attributes.get("action", ""), attributes.get("method", "get"))
            self.forms.append(self._form)
        elif self._form is None:
            return
        elif tag == "input" and attributes.get("name"):
            if attributes.get("type") not in {"checkbox", "radio", "submit"} or "checked" in attributes:
                self._form.fields[attributes["name"]] = attributes.get("value", "")
        elif tag == "select":
            self._select = attributes.get("name")
            self._form.fields[self._select] = ""
        elif tag == "option" and self._select and "selected" in attributes:
            self._form.fields[self._select] = attributes.get("value", "")

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None

    def form(self, ending, **having):
        """The first form whose action ends like this and that sends these values, or None."""
        for form in self.forms:
            if form.action.endswith(ending) and having.items() <= form.fields.items():
                return form
        return None

    def find(self, pattern):
        """The distinct addresses of links that match."""
        return list(dict.fromkeys(link for link in self.links if re.fullmatch(pattern, link)))


class Person:
    """One signed-in member of the staff; every step is timed under its name."""

    def __init__(self, url, email, password, timings):
        # The local certificate of a LAN address is our own.
        self.client = httpx.Client(base_url=url, timeout=30, follow_redirects=True, verify=False)  # noqa: S501
        self.timings = timings
        page = self.open("/login/", "login page")
        form = page.form("", next="") or page.forms[0]
        answer = self.client.post("/login/", data=form.filled(username=email, password=password))
        if answer.url.path == "/login/":
            raise StuckError(f"{email} cannot sign in.")

    def open(self, address, step):
        return self._timed(step, lambda: self.client.get(address))

    def send(self, form, step, **values):
        headers = {"Referer": str(self.client.base_url)}
        return self._timed(
            step, lambda: self.client.post(form.action, data=form.filled(**values), headers=headers)
        )

    def _timed(self, step, request):
        begin = time.perf_counter()
        answer = request()
        self.timings[step].append((time.perf_counter() - begin) * 1000)
        if answer.status_code >= 400:
            raise StuckError(f"{step}: {answer.request.url} answered {answer.status_code}.")
        return Page(answer.text)


class Store:
    """The people of one facility at their work; ``done`` counts what they finished per stage."""

    UUID = r"[0-9a-f-]{36}"

    def __init__(self, slug, picker, packer, *, shorts):
        self.slug, self.picker, self.packer, self.shorts = slug, picker, packer, shorts
        self.done = defaultdict(int)

    def work(self):
        """Do everything that waits now; returns how many jobs were finished."""
        before = sum(self.done.values())
        self._each(self.picker, "pick", self._pick)
        self._each(self.packer, "pack", self._pack)
        self._each(self.packer, "handover", self._hand_over)
        return sum(self.done.values()) - before

    def _each(self, person, stage, step):
        while True:
            page = person.open(f"/f/{self.slug}/{stage}/", f"{stage}: list")
            jobs = page.find(rf"/f/{self.slug}/{stage}/{self.UUID}/")
            if not jobs:
                return
            for address in jobs:
                step(address)
                self.done[stage] += 1

    def _pick(self, address):
        page = self.picker.open(address, "pick: job")
        if start := page.form("/start/"):
            page = self.picker.send(start, "pick: start")
        while not (close := page.form("/act/", kind="close")):
            short = page.form("/act/", kind="short")
            quantity = page.form("/act/", kind="quantity")
            if short and self.shorts and self.shorts.pop():
                page = self.picker.send(short, "pick: short", reason="NOT_FOUND")
            elif quantity:
                page = self.picker.send(quantity, "pick: book")
            else:
                raise StuckError(f"{address} offers nothing to pick.")
        self.picker.send(close, "pick: close")

    def _pack(self, address):
        page = self.packer.open(address, "pack: job")
        if start := page.form("/start/"):
            page = self.packer.send(start, "pack: start")
        if everything := page.form("/all/"):
            page = self.packer.send(everything, "pack: all")
        if weight := page.form("/weight/"):
            page = self.packer.send(
                weight, "pack: weight", grams=str(int(weight.fields["grams"] or 500) + 80)
            )
        close = page.form("/close/")
        if close is None:
            raise StuckError(f"{address} cannot be closed.")
        self.packer.send(close, "pack: close")

    def _hand_over(self, address):
        page = self.packer.open(address, "handover: job")
        confirm = page.form("/confirm/")
        if confirm is None:
            raise StuckError(f"{address} cannot be handed over.")
        self.packer.send(confirm, "handover: confirm")


def post_orders(url, secret, orders, timings):
    """Send the orders as a shop does, with a key each, so that sending again is safe."""
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30, verify=False) as client:  # noqa: S501
        for order in orders:
            begin = time.perf_counter()
            answer = client.post(
                "/api/orders", json=order, headers={"Idempotency-Key": f"demo-{order['tenantOrderId']}"}
            )
            timings["import: order"].append((time.perf_counter() - begin) * 1000)
            if answer.status_code != httpx.codes.CREATED:
                raise StuckError(f"{order['tenantOrderId']}: {answer.status_code} {answer.text[:300]}")


def work_off(url, password, timings, *, is_done, show):
    """Let the staff of every facility work until ``is_done``; returns the stores.

    Args:
        is_done: asks the system whether anything is left.
        show: called with the stores after every round.
    Raises:
        StuckError: nothing moved for two minutes, or a page offers no next step.
    """
    picker = Person(url, "picker@demo.example", password, timings)
    packer = Person(url, "packer@demo.example", password, timings)
    home = picker.open("/", "home")
    slugs = sorted({link.split("/")[2] for link in home.find(r"/f/[a-z0-9-]+/")})
    # One short pick, so that this way is walked too.
    shorts = [True]
    stores = [Store(slug, picker, packer, shorts=shorts) for slug in slugs]
    moved = time.monotonic()
    while not is_done():
        if sum(store.work() for store in stores):
            moved = time.monotonic()
        elif time.monotonic() - moved > GIVE_UP:
            raise StuckError("Nothing moves any more.")
        else:
            time.sleep(0.3)
        show(stores)
    return stores


def percentiles(values):
    """(p50, p95) of milliseconds."""
    if len(values) < 2:
        return values[0], values[0]
    return statistics.median(values), statistics.quantiles(values, n=20)[-1]
