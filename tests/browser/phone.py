"""A phone in somebody's hand: a typed scanner, and a critical eye on every page."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.urls import reverse
from playwright.sync_api import expect

AXE = (Path(__file__).parent / "axe.min.js").read_text()
AXE_RUN = """async () => (await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    resultTypes: ["violations"],
    preload: false,
})).violations.map(({id, nodes}) => `${id}: ${nodes.map(node => node.html.slice(0, 200)).join(" | ")}`)"""
SMALL_CONTROLS = """() => [...document.querySelectorAll("button, input, select, summary, a.btn, a.list-item")]
    .filter(control => control.checkVisibility() && control.type !== "hidden" && !control.closest(".sr-only, .skip"))
    .filter(control => control.getBoundingClientRect().height < 47.5)
    .map(control => control.outerHTML.slice(0, 120))"""
COVERED_NOTICES = """() => {
    const bar = document.querySelector(".action-bar")?.getBoundingClientRect();
    return [...document.querySelectorAll(".scan-feedback .notice")]
        .filter(notice => bar && notice.getBoundingClientRect().bottom > bar.top)
        .map(notice => notice.textContent);
}"""
FORGET_AXE = (
    """() => document.querySelectorAll("[style]").forEach(element => element.removeAttribute("style"))"""
)
PASSWORD = "walk-through-the-store"
KEYS = """keys => {
    const place = document.activeElement ?? document.body;
    for (const key of keys) place.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}"""


class Phone:
    """A page with a scanner. Notes what goes wrong on the way; ``inspect`` judges what it shows."""

    def __init__(self, page, base_url):
        self.page, self.base_url = page, base_url
        self.troubles = []
        self.has_axe = False
        self.under_way = set()
        page.on("framenavigated", self._forget_axe)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)
        page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        page.on("console", self._hear)
        page.on("request", self._watch)

    def _forget_axe(self, _frame):
        self.has_axe = False

    def _hear(self, message):
        # Chromium logs every refused request; what is refused and why, the tests themselves say.
        if message.type != "error" or message.text.startswith("Failed to load resource"):
            return
        # axe tries inline styles, and htmx copies what it left: only before it ran are they the page's own.
        if not (self.has_axe and message.text.startswith("Applying inline style")):
            self.troubles.append(f"console: {message.text} {message.location}")

    def _end(self, request):
        self.under_way.discard(request)

    def put_down(self):
        """Wait for what the page still asks the server: it would meet an emptied database."""
        for _step in range(100):
            if self.page.is_closed() or not self.under_way:
                return
            self.page.wait_for_timeout(50)

    def _watch(self, request):
        self.under_way.add(request)
        target = urlsplit(request.url)
        if target.scheme.startswith("http") and target.netloc != urlsplit(self.base_url).netloc:
            self.troubles.append(f"foreign host: {request.url}")

    def open(self, name, *args):
        self.page.goto(self.base_url + reverse(name, args=args))

    def sign_in(self, user):
        self.open("login")
        self.fill_sign_in(user)
        self.page.wait_for_url("**/f/**")

    def fill_sign_in(self, user):
        self.page.locator("input[name=username]").fill(user.email)
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator(".btn-primary").click()

    def scan(self, code):
        """What a scanner does: types fast and presses Enter, wherever the focus is."""
        self.page.keyboard.type(code, delay=1)
        self.page.keyboard.press("Enter")

    def scan_beside_the_field(self, code):
        """The keys of a scan that no field has: told from a person's by their speed, so no pause may come between.

        The key before them takes what a page does once, at the first key: waking the sound.
        """
        self.page.evaluate(KEYS, ["Shift"])
        self.page.evaluate(KEYS, [*code, "Enter"])

    def look(self, name):
        """A picture for whoever wants to look at it: ``SCREENSHOTS=folder``."""
        if folder := os.environ.get("SCREENSHOTS"):
            width = self.page.viewport_size["width"]
            self.page.screenshot(path=f"{folder}/{name}-{width}.png", full_page=True)

    def press_primary(self):
        self.page.locator(".btn-primary:visible").click()

    def inspect(self):
        """No violation of WCAG 2.2 AA, nothing wider than the screen, nothing too small, no banner covered."""
        self.page.wait_for_load_state("load")
        assert self.page.evaluate("document.documentElement.scrollWidth") <= self.page.viewport_size["width"]
        assert self.page.evaluate(COVERED_NOTICES) == []
        assert self.page.evaluate(SMALL_CONTROLS) == []
        assert self.troubles == []
        self.has_axe = True
        self.page.evaluate(f"() => {{ {AXE} }}")
        assert self.page.evaluate(AXE_RUN) == []
        self.page.evaluate(FORGET_AXE)

    def expect_progress(self, text):
        expect(self.page.locator("#focus-title")).to_contain_text(text)

    def expect_feedback(self, kind):
        expect(self.page.locator("#feedback [data-kind]")).to_have_attribute("data-kind", kind)

    def expect_connection(self, kind):
        expect(self.page.locator("#connection [data-kind]")).to_have_attribute("data-kind", kind)

    def expect_sent(self):
        """Every action of the job on the screen has its answer."""
        expect(self.page.locator("#work")).to_have_attribute("data-waiting", "0")
