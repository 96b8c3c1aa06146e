"""The OpenAPI document, made from the parts that validate the bodies: what it says is what the code does."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema

from . import schema
from .schema import Choice, Integer, List, Map, Number, Object, Text

COMPONENTS: dict[str, dict] = {}
FUNCTIONS = {
    schema.boolean: {"type": "boolean"},
    schema.moment: {"type": "string", "format": "date-time"},
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
        if part.name not in COMPONENTS:
            COMPONENTS[part.name] = {}  # an object may contain itself
            COMPONENTS[part.name] = _object(part)
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


def operation(name, summary, *, answers, body=None, query=None, errors=(), deprecated=False):
    """Describe a view method in the document.

    Args:
        name: the operation's id, for example ``createOrder``.
        answers: ``{status: part, or None without a body, or a media type}``.
        body: the part that validates the request's body.
        query: ``{name: part}`` of the query parameters.
        errors: further statuses that answer with a list of errors; 400, 401, 403 and 429 always may.
    """
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
    """Postprocessing hook of drf-spectacular: the named parts, and the words of each status."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(sorted(COMPONENTS.items()))
    for path in result["paths"].values():
        for described in path.values():
            for status, response in described["responses"].items():
                response["description"] = response.get("description") or WORDS.get(int(status), "")
    return result


PAGE = {"size": Integer(1, 100), "startAfterId": Text(64)}
