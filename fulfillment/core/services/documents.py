"""Documents: bytes stored once under their SHA-256, so that a reprint is the same, byte by byte."""

import hashlib
import os
import tempfile
from pathlib import Path

from django.conf import settings

from ..models import Document


class DamagedDocument(Exception):
    """The stored bytes are gone or are not those that were stored."""


def path_of(sha256):
    """Where the bytes with this hash are."""
    return Path(settings.MEDIA_ROOT) / sha256[:2] / sha256


def keep(data):
    """Store bytes unless they are there already; returns their SHA-256. Safe to call twice, and before a commit."""
    sha256 = hashlib.sha256(data).hexdigest()
    target = path_of(sha256)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and moved, so that nobody ever reads half a file.
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
            written = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                written.replace(target)
            except BaseException:
                written.unlink(missing_ok=True)
                raise
    return sha256


def store(data, *, facility_id, category, name, order_id=None, format="PDF", template="", snapshot=None, now):  # noqa: A002
    """Keep bytes and write the document that names them.

    Args:
        template: name and version of what it was made from; ``snapshot``: the data it was made from.
    """
    return Document.objects.create(
        facility_id=facility_id,
        order_id=order_id,
        category=category,
        format=format,
        name="".join(letter for letter in name if letter.isprintable())[:100],
        sha256=keep(data),
        size=len(data),
        template=template,
        snapshot=snapshot or {},
        created_at=now,
    )


def kept(sha256):
    """The bytes with this hash. Raises DamagedDocument when they are gone or changed."""
    try:
        data = path_of(sha256).read_bytes()
    except FileNotFoundError as error:
        raise DamagedDocument(f"The file {sha256} is missing.") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedDocument(f"The file {sha256} was changed.")
    return data


def read(document):
    """The bytes of a document. Raises DamagedDocument when they are gone or changed."""
    return kept(document.sha256)
