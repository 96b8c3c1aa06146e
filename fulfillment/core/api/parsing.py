"""Bodies of requests: JSON that is read strictly, so that no value can surprise the code or the database behind it."""

import json
import math
import re

from django.conf import settings
from rest_framework import exceptions, status
from rest_framework.parsers import BaseParser

DEEPEST = 32
SURROGATE = re.compile("[\ud800-\udfff]")


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is larger than {limit} bytes."
    default_code = "BODY_TOO_LARGE"

    def __init__(self, limit):
        super().__init__(self.default_detail.format(limit=limit))


class Doubled(dict):
    """An object that names a property twice."""

    name = ""


def _object(pairs):
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    doubled, seen = Doubled(found), set()
    for name, _value in pairs:
        if name in seen:
            doubled.name = name
            break
        seen.add(name)
    return doubled


def _is_clean(container, depth=0):
    """Whether ``_problems`` has none of an object or list; nearly all have none, and this is the faster look."""
    if depth == DEEPEST or type(container) is Doubled:
        return False
    inner = container
    if type(container) is dict:
        inner = container.values()
        if not all(map(_is_plain, container)):
            return False
    for value in inner:
        kind = type(value)
        if kind is str:
            if not _is_plain(value):
                return False
        elif kind is float:
            if not math.isfinite(value):
                return False
        elif (kind is dict or kind is list or kind is Doubled) and not _is_clean(value, depth + 1):
            return False
    return True


def _is_plain(text):
    return "\0" not in text and (text.isascii() or not SURROGATE.search(text))


def _problems(value, path, depth):
    """Yield (path, message) of what JSON allows or Python lets through, but no database keeps."""
    if isinstance(value, str):
        if "\0" in value:
            yield path, "must not contain the character U+0000"
        elif not value.isascii() and SURROGATE.search(value):
            yield path, "contains half of a surrogate pair"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield path, "must be a finite number"
    elif isinstance(value, (dict, list)):
        if depth == DEEPEST:
            yield path, f"is nested deeper than {DEEPEST} levels"
            return
        if isinstance(value, Doubled):
            yield f"{path}.{value.name}" if path else value.name, "is given twice"
        if isinstance(value, dict):
            for name, inner in value.items():
                if "\0" in name or not name.isascii():
                    yield from _problems(name, path or "body", depth)
                yield from _problems(inner, f"{path}.{name}" if path else name, depth + 1)
        else:
            for index, inner in enumerate(value):
                yield from _problems(inner, f"{path}[{index}]", depth + 1)


def read_json(body):
    """The value of a JSON body.

    Raises:
        ParseError: not JSON, or not UTF-8.
        ValidationError: a property given twice, NaN, infinity, U+0000, or more than ``DEEPEST`` levels.
    """
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise exceptions.ParseError("The body is not UTF-8.") from error
    except RecursionError as error:
        raise exceptions.ValidationError({"body": [f"is nested deeper than {DEEPEST} levels"]}) from error
    except ValueError as error:
        raise exceptions.ParseError(f"The body is not JSON: {error}"[:300]) from error
    if isinstance(value, (dict, list)) and _is_clean(value):
        return value
    problems = {path or "body": [message] for path, message in _problems(value, "", 0)}
    if problems:
        raise exceptions.ValidationError(problems)
    return value


class StrictJSONParser(BaseParser):
    """JSON up to DATA_UPLOAD_MAX_MEMORY_SIZE bytes. Keeps the raw body, so that it can be compared later."""

    media_type = "application/json"

    def parse(self, stream, media_type=None, parser_context=None):
        request = parser_context["request"]._request
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            length = 0
        if length > limit:
            raise TooLarge(limit)
        return read_json(request.body)
