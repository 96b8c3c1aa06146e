"""The OpenAPI document, made from the parts that validate the bodies: what it says is what the code does."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema

from . import schema
from .examples import example, example_of_option
from .public import OPERATIONS as PUBLIC
from .schema import Choice, Integer, List, Map, Number, Object, Text

COMPONENTS: dict[str, dict] = {}
NAMED: dict[str, Object] = {}
OPERATIONS: dict[str, dict] = {}  # by name: {"body": part or None, "answers": {status: part}, "example": ...}
FUNCTIONS = {
    schema.boolean: {"type": "boolean"},
    schema.moment: {"type": "string", "format": "date-time"},
    schema.web_page: {"type": "string", "format": "uri", "maxLength": 500},
    schema.email: {"type": "string", "format": "email", "maxLength": 254},
    schema.country: {"type": "string", "pattern": "^[A-Z]{2}$"},
    schema.free: {"type": "object"},
    schema.anything: {},
}

api_error = List(
    Object(
        {"summary": Text(), "description": Text()},
        {"requestVersion": Integer(), "version": Integer()},
        name="ErrorInner",
    )
)
WORDS = {
    200: "Done.",
    201: "Created.",
    202: "Accepted.",
    204: "Done, without a body.",
    303: "It exists already, at Location.",
    400: "The request is invalid; the descriptions begin with the path of the field.",
    401: "Not signed in.",
    403: "Not allowed.",
    404: "Not found.",
    409: "Another version is stored.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "Not possible now.",
    429: "Too many requests; Retry-After says when to come again.",
    503: "The database does not answer.",
}


ERRORS = {
    400: {"summary": "VALIDATION_FAILED", "description": "orderLineItems[0].quantity: must be at least 1"},
    401: {"summary": "AUTHENTICATION_FAILED", "description": "The token is unknown, expired or revoked."},
    403: {"summary": "PERMISSION_DENIED", "description": "The token lacks the scope ORDERS."},
    404: {"summary": "NOT_FOUND", "description": "Not found."},
    409: {
        "summary": "VERSION_CONFLICT",
        "description": "This was changed meanwhile: version 1 was sent, 2 is stored. Load it again.",
        "requestVersion": 1,
        "version": 2,
    },
    413: {"summary": "BODY_TOO_LARGE", "description": "The body is larger than 2097152 bytes."},
    415: {"summary": "UNSUPPORTED_MEDIA_TYPE", "description": "The body is not JSON."},
    422: {
        "summary": "WRONG_STATUS",
        "description": "Order W-1001 is Cancelled; “unlock” is not possible now.",
    },
    429: {"summary": "THROTTLED", "description": "Request was throttled. Expected available in 12 seconds."},
}
_number = {"type": "integer"}
_location = {
    "Location": {"schema": {"type": "string", "format": "uri-reference"}, "description": "Where it is."}
}
HEADERS = {
    201: _location,
    202: _location,
    303: _location,
    429: {
        "Retry-After": {"schema": _number, "description": "Seconds until the next request is answered."},
        "RateLimit-Limit": {"schema": _number, "description": "Requests per minute."},
        "RateLimit-Remaining": {"schema": _number, "description": "Requests left in this minute."},
        "RateLimit-Reset": {"schema": _number, "description": "Seconds until the minute ends."},
    },
}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "maxLength": 255},
    "description": "The same key and request get the first answer again for seven days.",
}


class Bearer(OpenApiAuthenticationExtension):  # registers itself by being defined
    target_class = "fulfillment.core.api.auth.TokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema):
        return {"type": "http", "scheme": "bearer"}


def describe(part):
    """A part of a schema as JSON Schema; objects with a name become components."""
    if isinstance(part, Object):
        if not part.name:
            return _object(part)
        known = NAMED.setdefault(part.name, part)
        if part.name not in COMPONENTS:
            COMPONENTS[part.name] = {}  # an object may contain itself
            COMPONENTS[part.name] = _object(part)
        elif known is not part and COMPONENTS[part.name] != _object(part):
            raise ValueError(f"Two different objects are named {part.name}.")
        return {"$ref": f"#/components/schemas/{part.name}"}
    if isinstance(part, Choice):
        return {"oneOf": [describe(option) for option in part.options.values()]}
    if isinstance(part, List):
        limits = {"maxItems": part.most} | ({"minItems": part.least} if part.least else {})
        return {"type": "array", "items": describe(part.item), **limits}
    if isinstance(part, Map):
        return {"type": "object", "additionalProperties": describe(part.item)}
    if isinstance(part, Number):
        limits = {"minimum": part.least, "maximum": part.most}
        return {
            "type": "integer" if isinstance(part, Integer) else "number",
            **{name: limit for name, limit in limits.items() if limit is not None},
        }
    if isinstance(part, Text):
        choices = {"enum": sorted(part.choices)} if part.choices else {}
        return {"type": "string", "maxLength": part.longest, **choices}
    return FUNCTIONS[part]


def _object(part):
    described: dict = {
        "type": "object",
        "properties": {name: describe(inner) for name, inner in part.parts.items()},
    }
    if part.required:
        described["required"] = part.required
    if part.closed:
        described["additionalProperties"] = False
    return described


def operation(
    name, summary, *, answers, body=None, query=None, errors=(), deprecated=False, request_example=None
):
    """Describe a view method in the document.

    Args:
        name: the operation's id, for example ``createOrder``.
        answers: ``{status: part, or None without a body, or a media type}``.
        body: the part that validates the request's body.
        query: ``{name: part}`` of the query parameters.
        errors: further statuses that answer with a list of errors; 400, 401, 403 and 429 always may.
        request_example: a body to show; without it one is made from the part.
    """
    OPERATIONS[name] = {"body": body, "answers": answers, "example": request_example}
    responses: dict = {}
    for status, part in answers.items():
        if isinstance(part, str):
            responses[status, part] = {"type": "string", "format": "binary"}
        elif part is None:
            responses[status] = {"description": WORDS[status]}
        else:
            responses[status, "application/json"] = describe(part)
    for status in sorted({400, 401, 403, 429, *((413, 415) if body else ()), *errors}):
        responses[status, "application/json"] = describe(api_error)
    return extend_schema(
        operation_id=name,
        summary=summary,
        parameters=[
            OpenApiParameter(parameter, describe(part), OpenApiParameter.QUERY)
            for parameter, part in (query or {}).items()
        ],
        request={"application/json": describe(body)} if body is not None else None,
        responses=responses,
        deprecated=deprecated,
    )


def add_components(result, generator, request, public):
    """Postprocessing hook of drf-spectacular: named parts, words and headers of each status, examples."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    for address, path in result["paths"].items():
        for method, described in path.items():
            if method == "post" and not address.endswith("/search"):
                described.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
            own = OPERATIONS[described["operationId"]]
            if own["body"] is not None:
                described["requestBody"]["content"]["application/json"] |= request_examples(own)
            for status, response in described["responses"].items():
                _complete(response, int(status), own["answers"].get(int(status)))
    for (address, method), (name, summary, body, answers) in PUBLIC.items():
        result["paths"].setdefault(address, {})[method] = _describe_public(name, summary, body, answers)
    schemas.update(sorted(COMPONENTS.items()))
    return result


def _describe_public(name, summary, body, answers):
    described: dict = {
        "operationId": name,
        "summary": summary,
        "security": [{}],
        "responses": {
            str(status): {
                "description": WORDS.get(status, ""),
                "content": {"application/json": {"schema": describe(part), "example": example(part)}},
            }
            for status, part in answers.items()
        },
    }
    if body is not None:
        content = {"schema": describe(body), "example": example(body)}
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    return described


def request_examples(own):
    """``example`` or ``examples`` of an operation's body: one for each action that it may be."""
    if own["example"] is not None:
        return {"example": own["example"]}
    if isinstance(own["body"], Choice):
        names = own["body"].options
        return {"examples": {name: {"value": example_of_option(own["body"], name)} for name in names}}
    return {"example": example(own["body"])}


def _complete(response, status, answer):
    response["description"] = response.get("description") or WORDS.get(status, "")
    if status in HEADERS:
        response["headers"] = HEADERS[status]
    if status < 400 and answer is None:
        response.pop("content", None)  # a description alone counts as a schema otherwise
    elif content := response["content"].get("application/json"):
        content["example"] = [ERRORS[status]] if status >= 400 else example(answer)


PAGE = {"size": Integer(1, 100), "startAfterId": Text(64)}
