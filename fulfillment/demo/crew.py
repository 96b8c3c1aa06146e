"""The people of the demo network: they pick, pack and hand over in the pages of the staff, as a person does."""

import re
import time
from collections import Counter

from fulfillment.demo.pages import Browser, PageError

UUID = "[0-9a-f-]{36}"
SHELF = re.compile(r'<p class="huge">([^<–]+)</p>')
PAYMENT = 'name="is_payment_taken"'
PACKAGE = re.compile(r'<span class="mono">(P[0-9A-Z]+)</span>')
MOST_STEPS = 500  # of one job: more means that a page leads in a circle
FILLING_G = 120


class Crew:
    """A picker, a packer and a supervisor who work at every facility.

    Args:
        url: address of the running system.
        passwords: ``{role: (e-mail, password)}`` for picker, packer and supervisor.
        codes: ``{SKU: code on the article}``, what a scanner reads off the goods.
        transport: of httpx, when the system is not reached over the network.
    """

    def __init__(self, url, passwords, codes, *, on_step=lambda: None, transport=None):
        self.timings, self.done, self.codes, self.on_step = {}, Counter(), codes, on_step
        self.url, self.transport = url, transport
        self.spent = Counter()  # seconds per (facility, stage)
        self.is_short_due = True
        self.people = {role: Browser(url, self.timings, transport) for role in passwords}
        for role, (email, password) in passwords.items():
            self.people[role].sign_in(email, password)
        home = self.people["picker"].open("/")
        self.facilities = [re.fullmatch("/f/([^/]+)/", link)[1] for link in home.links_to("/f/[^/]+/")]

    def close(self):
        for browser in self.people.values():
            browser.client.close()

    def round(self):
        """Do all work that is there now; returns how many jobs were finished."""
        before = self.done.total()
        for slug in self.facilities:
            self.work_list(slug, "pick", "picker", self.pick)
        for slug in self.facilities:
            self.work_list(slug, "pack", "packer", self.pack)
        for slug in self.facilities:
            self.solve_labels(slug)
            self.work_list(slug, "handover", "supervisor", self.hand_over)
        return self.done.total() - before

    def work_list(self, slug, stage, role, work):
        """Work on every job of a list, page by page, until nothing of it is new."""
        seen = set()
        browser = self.people[role]
        while True:
            page = browser.open(f"/f/{slug}/{stage}/", f"open the {stage} list")
            new = [link for link in page.links_to(f"/f/{slug}/{stage}/{UUID}/") if link not in seen]
            if not new:
                return
            for link in new:
                seen.add(link)
                begin = time.perf_counter()
                work(browser, link)
                self.spent[slug, stage] += time.perf_counter() - begin
                self.done[slug, stage] += 1
                self.on_step()

    def pick(self, browser, link):
        """Pick a job: single units by their code, more as a number; once, something is missing."""
        page = browser.open(link, "open a pick job")
        if start := page.form("/start/"):
            page = browser.send(page, start, "start a pick job")
        for _step in range(MOST_STEPS):
            if close := page.form("/act/", kind="close"):
                page = browser.send(page, close, "close a pick job")
                if page.form("/act/", kind="close"):
                    raise PageError(f"{page.url} does not close.")
                return
            number = page.form("/act/", kind="quantity")
            if number is None:
                raise PageError(f"{page.url} shows neither a line to pick nor a way to close the job.")
            units = int(number.limits["quantity"])
            code = next((self.codes[word] for word in page.words if word in self.codes), None)
            if self.is_short_due and units > 1:
                self.is_short_due = False
                page = browser.send(page, number, "book units", quantity=str(units - 1))
                page = browser.send(
                    page, page.form("/act/", kind="short"), "report missing units", reason="NOT_FOUND"
                )
                self.done["", "short"] += 1
            elif units == 1 and code:
                page = browser.send(page, page.form("/act/", kind="scan"), "book a scan", code=code)
            else:
                page = browser.send(page, number, "book units", quantity=str(units))
        raise PageError(f"{page.url} does not come to an end.")

    def pack(self, browser, link):
        """Pack everything into the proposed boxes, weigh them and close the job."""
        page = browser.open(link, "open a pack job")
        if start := page.form("/start/"):
            page = browser.send(page, start, "start a pack job")
        if put := page.form("/all/"):
            page = browser.send(page, put, "pack everything")
        for address in [form.action for form in page.forms if (form.action or "").endswith("/weight/")]:
            weigh = page.form(address)
            grams = str(int(weigh.fields.get("grams") or 500) + FILLING_G)
            page = browser.send(page, weigh, "weigh a package", may_refuse=True, grams=grams)
            again = page.form(address)
            if again and ("confirmed", "true") in again.buttons:
                page = browser.send(page, again, "confirm a weight", grams=grams, confirmed="true")
        browser.send(page, page.form("/close/"), "close a pack job")

    def solve_labels(self, slug):
        """Do what the carrier asks of a person: enter a number, or send the address again."""
        browser = self.people["packer"]
        page = browser.open(f"/f/{slug}/shipping/", "open the labels")
        for link in page.links_to(f"/f/{slug}/shipping/parcels/{UUID}/"):
            parcel = browser.open(link, "open a parcel")
            if form := parcel.form("/request/"):
                browser.send(parcel, form, "book again", house_number="1")
            elif form := parcel.form("/number/"):
                number = f"OWN{link.split('/')[-2][-12:].upper()}"
                browser.send(parcel, form, "enter a number", number=number)

    def hand_over(self, browser, link):
        """Hand a parcel to the carrier, or what is collected to the customer."""
        page = browser.open(link, "open a handover")
        if form := page.form("/vouch/"):
            page = browser.send(page, form, "vouch for a customer", reason="Known to the house")
        for code in PACKAGE.findall(page.text) if page.form("/fetch/") else ():
            page = browser.send(page, page.form("/fetch/"), "scan a package", code=code)
        paid = {"is_payment_taken": "on"} if PAYMENT in page.text else {}
        browser.send(page, page.form("/confirm/"), "hand over", **paid)

    def give_back(self, slug, code):
        """A customer announces one unit with the code of the slip, brings it back, and it is put on its shelf."""
        with Browser(self.url, self.timings, self.transport) as customer:
            page = customer.open(f"/returns/{code}/", "open a slip")
            form = page.form(f"/returns/{code}/")
            units = next((name for name in form.fields if name.startswith("units-")), "") if form else ""
            customer.send(page, form, "announce a return", **{units: "1"})
        clerk = self.people["packer"]
        page = clerk.open(f"/f/{slug}/returns/", "open the returns")
        page = clerk.send(page, page.form("/returns/scan/"), "scan a slip", code=code)
        if not page.form("/receive/"):
            (article,) = page.links_to(r"/f/.+\?line=.+")[:1]
            page = clerk.open(article, "take an article in the hand")
        receive = page.form("/receive/")
        page = clerk.send(page, receive, "press a condition", **dict(receive.buttons[:1]))
        clerk.send(page, page.form("/finish/"), "finish a return")
        self.put_away(slug)
        self.done["", "returned"] += 1

    def put_away(self, slug):
        """Put everything that waits for it on its shelf."""
        browser = self.people["picker"]
        page = browser.open(f"/f/{slug}/restow/", "open what is to be put back")
        for _step in range(MOST_STEPS):
            form = next((form for form in page.forms if "/restow/" in form.action), None)
            if form is None:
                return
            place = SHELF.search(page.text)
            page = browser.send(page, form, "put back", code=place[1] if place else "")
        raise PageError(f"{page.url} does not come to an end.")
