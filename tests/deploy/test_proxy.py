"""The reverse proxy lets through what the application takes."""

import re

from django.conf import settings

from fulfillment.core import pictures
from orders.sources.views import LARGEST_BODY
from shipping import uploads

MB = 1024 * 1024


def test_proxy_takes_the_largest_photo_label_and_delivery_of_a_shop():
    text = (settings.BASE_DIR / "deploy/Caddyfile").read_text()

    most = int(re.search(r"request_body @other \{\s+max_size (\d+)MB", text)[1])

    # Caddy counts in millions; a form is a little larger than its file.
    assert most * 1_000_000 > max(pictures.MOST_BYTES, uploads.MOST_BYTES, LARGEST_BODY) + MB // 2


def test_documented_size_of_a_body_is_that_of_the_settings():
    text = (settings.BASE_DIR / "docs/api.md").read_text()

    most = re.search(r"A body has at most (\d+) MB \(`BODY_TOO_LARGE`\), a bulk of orders (\d+) MB", text)

    assert [int(size) * MB for size in most.groups()] == [
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
        settings.BULK_MAX_BYTES,
    ]


def test_documented_time_of_a_body_is_that_of_the_proxy():
    given = re.search(r"gives it (\d+) s to arrive", (settings.BASE_DIR / "docs/api.md").read_text())

    assert f"read_body {given[1]}s" in (settings.BASE_DIR / "deploy/Caddyfile").read_text()
