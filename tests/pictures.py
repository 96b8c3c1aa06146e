"""The two pictures of README, taken from the running product: ``make pictures`` beside a fresh ``make run``."""

import csv
import json
import shutil
import sys

from django.conf import settings
from playwright.sync_api import sync_playwright

IMAGES = settings.BASE_DIR / "docs" / "images"
ARTICLES = settings.BASE_DIR / "fulfillment" / "demo" / "articles.csv"
ORDER, SITE = "W-1001", "amsterdam"
SIGN_IN = "button[type=submit]"


def sign_in(browser, url, role, **screen):
    """A page of somebody who signed in with the login that ``make run`` printed."""
    email = f"{role}@demo.example"
    password = json.loads((settings.VAR_DIR / "demo-logins.json").read_text())[email]
    page = browser.new_context(base_url=url, locale="en-GB", ignore_https_errors=True, **screen).new_page()
    page.goto("/login/")
    page.fill("[name=username]", email)
    page.fill("[name=password]", password)
    page.click(SIGN_IN)
    return page


def save(page, name):
    page.wait_for_timeout(1000)  # until nothing moves any more
    page.screenshot(path=IMAGES / f"{name}.png")


def pick_job(browser, url):
    """A pick job on a handheld, one unit scanned."""
    page = sign_in(
        browser, url, "picker", viewport={"width": 360, "height": 640}, device_scale_factor=2, has_touch=True
    )
    page.goto(f"/f/{SITE}/pick/?q={ORDER}")  # the only hit opens
    start = page.locator("form[action$='/start/'] button")
    if start.count():
        start.click()
    words = page.inner_text("main").split()
    with ARTICLES.open(encoding="utf-8") as file:
        code = next(row["ean"] for row in csv.DictReader(file) if row["sku"] in words)
    page.keyboard.type(code, delay=1)
    page.keyboard.press("Enter")
    save(page, "pick-job")


def order_detail(browser, url):
    """The same order on a desk."""
    page = sign_in(browser, url, "admin", viewport={"width": 1280, "height": 800})
    page.goto(f"/hq/orders/?q={ORDER}")
    page.get_by_role("link", name=ORDER, exact=True).click()
    save(page, "order-detail")


def main(url):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        pick_job(browser, url)
        order_detail(browser, url)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
