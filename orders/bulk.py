"""Many orders at once: they are stored as a file with one order per line, and a worker writes them batch by batch.

Neither the request nor the worker ever holds more than a batch in memory. Orders, their results and the position in
the file are written in one transaction, so that work that broke off goes on where it was, and no order comes twice.
"""

import codecs
import datetime
import hashlib
import itertools
import json
import os
import re
import time
import uuid
from collections import Counter
from pathlib import Path

from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone
from rest_framework.exceptions import APIException, ParseError, ValidationError

from fulfillment.core.api.errors import UnprocessableKey, error, errors_of
from fulfillment.core.api.parsing import TooLarge, read_json
from fulfillment.core.api.schema import validate
from fulfillment.core.errors import Refused
from fulfillment.core.events import emit
from fulfillment.core.models import User
from fulfillment.core.outbox import RetryLater
from fulfillment.core.rows import insert_values

from . import services, wire
from .events import BulkReceived
from .models import BulkImport, BulkResult

MOST_ROWS = 10_000
BATCH, BATCH_BYTES = 250, 2**20
CHUNK = 2**16
# Then the worker gives the lane back; less than the lease of the outbox, so that no second one comes.
LONGEST_TURN = 120  # seconds
KEEP = datetime.timedelta(days=30)
LONGEST_UPLOAD = datetime.timedelta(days=1)
WHITESPACE = re.compile(r"[ \t\r\n]*")

Outcome = BulkResult.Outcome


# Receiving


def path_of(pk):
    """Where the orders of a bulk stand until they are written."""
    return Path(settings.MEDIA_ROOT) / "bulk" / f"{pk}.jsonl"


def receive(stream, *, channel, by, caller, key, facility_ids, is_dry_run, now):
    """Store the orders of a stream (JSON lines, or a JSON array) for a worker; returns the import and whether it is new.

    Refuses more than ``MOST_ROWS``, an array that is not JSON, and a key that was used with other orders. A line
    that is not JSON is a bad row and keeps nobody else out.
    """
    bulk = BulkImport(
        channel=channel,
        user=by if isinstance(by, User) else None,
        token=None if isinstance(by, User) else by,
        caller=caller,
        key=key or None,
        facility_ids=None if facility_ids is None else sorted(map(str, facility_ids)),
        is_dry_run=is_dry_run,
        created_at=now,
    )
    path = path_of(bulk.pk)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        bulk.total, bulk.sha256 = _store(stream, path)
        with transaction.atomic():
            bulk.save(force_insert=True)
            emit(BulkReceived(bulk_id=bulk.pk), by=by, now=now)
    except BaseException as failure:
        path.unlink(missing_ok=True)
        earlier = BulkImport.objects.filter(caller=caller, key=key).first() if key else None
        if not isinstance(failure, IntegrityError) or earlier is None:
            raise
        if (earlier.sha256, earlier.is_dry_run) != (bulk.sha256, is_dry_run):
            raise UnprocessableKey from failure
        return earlier, False
    return bulk, True


def _store(stream, path):
    """Write one order per line; returns how many, and the SHA-256 of what came."""
    digest, count = hashlib.sha256(), 0

    def chunks():
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            yield chunk

    with path.open("wb") as file:
        for row in split(chunks()):
            count += 1
            if count > MOST_ROWS:
                raise ValidationError({"body": [f"must not have more than {MOST_ROWS} orders"]})
            file.write(row + b"\n")
        if not count:
            raise ValidationError({"body": ["has no orders"]})
        file.flush()
        os.fsync(file.fileno())
    return count, digest.hexdigest()


def split(chunks):
    """Yield each order of a body as bytes without a line break, from chunks of JSON lines or of a JSON array."""
    begin = b""
    for chunk in chunks:
        begin += chunk
        if begin.lstrip():
            break
    chunks = itertools.chain([begin], chunks)
    if begin.lstrip().startswith(b"["):
        return _split_array(chunks)
    return _split_lines(chunks)


def _split_lines(chunks):
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        yield from filter(None, map(bytes.strip, lines))
    if rest.strip():
        yield rest.strip()


class _Array:
    """A JSON array that is read element by element; holds one element and a chunk."""

    def __init__(self, chunks):
        self.texts = self.decode(chunks)
        self.text, self.at = "", 0

    @staticmethod
    def decode(chunks):
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for chunk in chunks:
                yield decoder.decode(chunk)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as failure:
            raise ParseError("The body is not UTF-8.") from failure

    def more(self):
        following = next(self.texts, None)
        if following is None:
            return False
        self.text, self.at = self.text[self.at :] + following, 0
        return True

    def sign(self):
        """The next character that is no whitespace, '' at the end."""
        while True:
            self.at = WHITESPACE.match(self.text, self.at).end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def element(self):
        decode = json.JSONDecoder().raw_decode
        while True:
            try:
                _value, end = decode(self.text, self.at)
            except (ValueError, RecursionError) as failure:
                # Perhaps only the end of it has not come yet.
                if len(self.text) - self.at > settings.DATA_UPLOAD_MAX_MEMORY_SIZE or not self.more():
                    raise ParseError("The body is not a JSON array of orders.") from failure
                continue
            text, self.at = self.text[self.at : end], end
            return text


def _split_array(chunks):
    array = _Array(chunks)
    array.sign()
    array.at += 1
    if array.sign() == "]":
        array.at += 1
    else:
        while True:
            array.sign()
            yield array.element().replace("\n", " ").replace("\r", " ").encode()
            sign = array.sign()
            array.at += 1
            if sign == "]":
                break
            if sign != ",":
                raise ParseError("The body is not a JSON array of orders.")
    if array.sign():
        raise ParseError("Something stands behind the JSON array.")


# Working


def work_off(event):
    """Write the orders of a bulk. Called again, it goes on where it was; when all are written, it does nothing."""
    bulk = BulkImport.objects.get(pk=event.bulk_id)
    if bulk.finished_at is not None:
        return
    end = time.monotonic() + LONGEST_TURN
    with path_of(bulk.pk).open("rb") as file:
        file.seek(bulk.offset)
        while bulk.position < bulk.total:
            bulk = _write(bulk, _read_batch(file))
            if bulk is None:
                raise RetryLater("Another worker is at it.")
            if time.monotonic() > end and bulk.position < bulk.total:
                raise RetryLater("More orders are left.", seconds=0)
    _finish(bulk.pk, now=timezone.now())
    path_of(bulk.pk).unlink(missing_ok=True)


def _read_batch(file):
    """Some lines, each with the place where it ends."""
    lines, size = [], 0
    while len(lines) < BATCH and size < BATCH_BYTES and (line := file.readline()):
        lines.append((line, file.tell()))
        size += len(line)
    return lines


def _write(bulk, lines):
    """Write a batch; one that the database refuses is written row by row, so that only the bad row stays out."""
    now = timezone.now()
    try:
        return _write_rows(bulk.pk, bulk.position, lines, now=now)
    except (IntegrityError, DataError):
        for line in lines:
            bulk = _write_row(bulk, line, now)
            if bulk is None:
                return None
        return bulk


def _write_row(bulk, line, now):
    try:
        return _write_rows(bulk.pk, bulk.position, [line], now=now)
    except IntegrityError:
        pass  # somebody took the number meanwhile: the next look sees it
    except DataError as failure:
        return _write_rows(bulk.pk, bulk.position, [line], now=now, refusal=failure)
    try:
        return _write_rows(bulk.pk, bulk.position, [line], now=now)
    except (IntegrityError, DataError) as failure:
        return _write_rows(bulk.pk, bulk.position, [line], now=now, refusal=failure)


@transaction.atomic
def _write_rows(pk, position, lines, *, now, refusal=None):
    """Write the orders of some lines with their results; returns the import, None when another worker went on with it.

    Args:
        refusal: what the database said of the one line, which is then only noted.
    """
    bulk = BulkImport.objects.select_related("channel", "token", "user").lock(pk=pk)
    if bulk.position != position:
        return None
    results = [_read(line) for line, _end in lines]
    if refusal is not None:
        results = [[error("NOT_STORED", f"The database refuses it: {type(refusal).__name__}.")]]
    good = [index for index, result in enumerate(results) if isinstance(result, dict)]
    numbers = {index: results[index].get("tenantOrderId", "") for index in good}
    placed = services.place_many(
        [results[index] for index in good],
        channel=bulk.channel,
        by=bulk.by,
        now=now,
        allowed_facilities=None if bulk.facility_ids is None else set(map(uuid.UUID, bulk.facility_ids)),
        is_dry_run=bulk.is_dry_run,
    )
    for index, result in zip(good, placed, strict=True):
        results[index] = errors_of(result) if isinstance(result, Refused) else result
    kept = [_result(result, bulk.is_dry_run) for result in results]
    insert_values(
        BulkResult,
        ("bulk_id", "number", "tenant_order_id", "outcome", "order_id", "errors"),
        [
            (bulk.pk, position + index + 1, numbers.get(index, ""), *outcome)
            for index, outcome in enumerate(kept)
        ],
    )
    bulk.position, bulk.offset = position + len(lines), lines[-1][1]
    bulk.counts = Counter(bulk.counts) + Counter(str(outcome) for outcome, _order_id, _errors in kept)
    bulk.save(update_fields=["position", "offset", "counts"])
    return bulk


def _result(result, is_dry_run):
    """(outcome, id of the order, errors) of what became of a row."""
    if isinstance(result, list):
        return Outcome.REFUSED, None, result
    order, is_new = result
    if not is_new:
        return Outcome.REPLAYED, order.pk, []
    return (Outcome.VALID, None, []) if is_dry_run else (Outcome.CREATED, order.pk, [])


def _read(line):
    """The order of a line, or the list of what is wrong with it."""
    try:
        return validate(wire.order_for_creation, read_json(line))
    except APIException as failure:
        return errors_of(failure)


@transaction.atomic
def _finish(pk, *, now):
    bulk = BulkImport.objects.lock(pk=pk)
    bulk.finished_at = now
    bulk.save(update_fields=["finished_at"])


def forget_old(*, now):
    """Delete the results of imports that ended a month ago, and files that no import needs; returns how many imports."""
    _rows, kinds = BulkImport.objects.filter(finished_at__lt=now - KEEP).delete()
    needed = {path_of(pk) for pk in BulkImport.objects.filter(finished_at=None).values_list("pk", flat=True)}
    oldest = (now - LONGEST_UPLOAD).timestamp()
    for path in path_of("x").parent.glob("*.jsonl"):
        if path not in needed and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
    return kinds.get("orders.BulkImport", 0)
