import os

import pytest
from django.utils import timezone

from fulfillment.core.models import Document
from fulfillment.core.services import documents
from tests.factories.core import FacilityFactory

pytestmark = pytest.mark.django_db
HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def stored(data=b"hello", **fields):
    return documents.store(
        data,
        facility_id=FacilityFactory().pk,
        category="SENDLABEL",
        now=timezone.now(),
        **{"name": "label.pdf", **fields},
    )


def files(folder):
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_bytes_are_kept_under_their_hash_and_come_back_the_same(folder):
    document = stored(template="label-1", snapshot={"number": "1"})

    document = Document.objects.get(pk=document.pk)
    assert (document.sha256, document.size, document.format) == (HELLO, 5, "PDF")
    assert documents.read(document) == b"hello"
    assert files(folder) == [f"2c/{HELLO}"]


def test_same_bytes_are_kept_once_for_two_documents(folder):
    first, second = stored(), stored()

    assert documents.read(first) == documents.read(second)
    assert len(files(folder)) == 1


def test_missing_and_changed_bytes_are_noticed():
    document = stored()

    documents.path_of(HELLO).write_bytes(b"hellO")
    with pytest.raises(documents.DamagedDocument):
        documents.read(document)
    documents.path_of(HELLO).unlink()
    with pytest.raises(documents.DamagedDocument):
        documents.read(document)


def test_write_that_fails_leaves_nothing_behind(folder, monkeypatch):
    def full(_descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space"):
        stored()

    assert files(folder) == []
    assert not Document.objects.exists()


def test_name_holds_no_line_break_and_is_not_too_long():
    assert stored(name="a\r\nb" + "x" * 200).name == "ab" + "x" * 98
