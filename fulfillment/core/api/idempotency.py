"""``Idempotency-Key``: a POST that is sent again gets the first answer, and its step runs once."""

import hashlib

from django.db import IntegrityError, transaction
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from ..models import IdempotencyKey
from .errors import UnprocessableKey

LONGEST_KEY = 255


class _KeyTakenError(Exception):
    pass


def _replay(row, digest):
    if row.digest != digest:
        raise UnprocessableKey
    headers = {"Idempotency-Replayed": "true"}
    if row.location:
        headers["Location"] = row.location
    return Response(row.answer, status=row.status_code, headers=headers)


def once(request, step):
    """Run ``step(is_second)`` in one transaction with its key; a known key replays the stored answer.

    The key belongs to the caller. It is inserted first, so that a parallel request with the same key waits for
    this one and then finds the answer. A step that fails leaves no key behind and may be tried again.
    An IntegrityError means that something unique exists, perhaps since a moment: the step is called a second time
    and says what it is.

    Raises:
        UnprocessableKey: the key was used with another request.
    """
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > LONGEST_KEY:
        raise ValidationError({"Idempotency-Key": [f"must not be longer than {LONGEST_KEY} characters"]})
    asked = f"{request.method} {request.get_full_path()}\n".encode()
    digest = hashlib.sha256(asked + request._request.body).hexdigest()
    try:
        return _attempt(request, step, key, digest, is_second=False)
    except IntegrityError:
        return _attempt(request, step, key, digest, is_second=True)


def _attempt(request, step, key, digest, *, is_second):
    try:
        with transaction.atomic():
            if not key:
                return step(is_second)
            row = IdempotencyKey(caller=caller_of(request), key=key, digest=digest)
            try:
                row.save(force_insert=True)
            except IntegrityError as error:
                raise _KeyTakenError from error
            response = step(is_second)
            row.status_code = response.status_code
            row.location = response.headers.get("Location", "")
            row.answer = response.data
            row.save(update_fields=["status_code", "location", "answer"])
            return response
    except _KeyTakenError:
        return _replay(IdempotencyKey.objects.get(caller=caller_of(request), key=key), digest)


def caller_of(request):
    return f"{request.user._meta.model_name}:{request.user.pk}"
