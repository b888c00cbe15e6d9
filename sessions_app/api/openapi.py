"""sessions_app/api, the REST door: the OpenAPI document, made from the structs themselves.

`operation` describes one method of a view; `DOCUMENT` holds what drf-spectacular is told beside the settings, and is
given to the command as `manage.py spectacular --custom-settings sessions_app.api.openapi.DOCUMENT`.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar, cast, get_args, get_type_hints

import msgspec
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from sessions_app import events, figures
from sessions_app.api import shapes
from sessions_app.api.envelope import JSON
from sessions_app.api.examples import error_example, example_of
from sessions_app.api.shapes import Alive, AnswerMeta, Failure, Health
from sessions_app.errors import CODES, Code

F = TypeVar("F", bound=Callable[..., Any])
Place = Literal["query", "path", "header"]
REF = "#/components/schemas/{name}"
# What every operation can answer, whatever it is.
EVERYWHERE = (Code.UNAUTHORIZED, Code.NOT_ACCEPTABLE, Code.RATE_LIMITED, Code.INTERNAL_ERROR, Code.UNAVAILABLE)

# Its stub says names; its code copies whole requirements, of which one is to be met.
_KNOWN: list[dict[str, list[Any]]] = [{"bearer": []}, {"cookie": []}]
_ANYONE: Any = [*_KNOWN, {}]


class StructExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # it registers itself
    """Teaches drf-spectacular msgspec's structs."""

    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: str) -> str:
        """The class's own name."""
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        """The schema of the struct; those it refers to are registered beside it."""
        _, found = msgspec.json.schema_components([self.target], ref_template=REF)
        for name, schema in found.items():
            if name != self.target.__name__:
                component: Any = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, object=name)  # type: ignore[no-untyped-call]
                auto_schema.registry.register_on_missing(component)
        return cast(dict[str, Any], found[self.target.__name__])


class DoorSchema(AutoSchema):
    """A struct is the whole answer, that of a list too; drf-spectacular would put an array around it."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False

    def _get_request_for_media_type(self, serializer: Any, direction: Any = "request") -> tuple[Any, bool]:
        if serializer is None:  # a POST that needs no body
            return None, False
        component: Any = self.resolve_serializer(serializer, direction)  # and nothing is set on the class, as for PATCH
        return component.ref, bool(component.schema.get("required"))


class TokenExtension(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it registers itself
    """The two ways to say who one is."""

    target_class = "sessions_app.api.authentication.TokenAuthentication"
    match_subclasses = True
    name: list[str] = ["bearer", "cookie"]  # noqa: RUF012  the base class's own

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Either."""
        return _KNOWN

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        """The security schemes."""
        cookie = "Set by `?transport=cookie`; unsafe methods need the value of `csrftoken` in `X-CSRFToken` beside it."
        return [
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            {"type": "apiKey", "in": "cookie", "name": "seance_access", "description": cookie},
        ]


@cache
def enveloped(name: str, data: Any, meta: type[AnswerMeta] = AnswerMeta) -> type[msgspec.Struct]:
    """The struct of a whole answer with this `data`."""
    fields: list[tuple[str, Any]] = [("success", Literal[True]), ("data", data), ("meta", meta)]
    return msgspec.defstruct(name, fields, module=__name__)


def operation(
    name: str,
    tag: str,
    summary: str,
    *,
    answers: Mapping[int, type[msgspec.Struct]],
    errors: Iterable[Code] = (),
    body: type[msgspec.Struct] | None = None,
    parameters: Iterable[OpenApiParameter] = (),
    caller: Literal["known", "anyone"] = "anyone",
    others: Mapping[tuple[int, str], tuple[Any, Any]] | None = None,
) -> Callable[[F], F]:
    """Describe one method: its answers by status, the errors it can have, and who may call it.

    `others` are answers without the envelope, by status and media type: what they are, and an example.
    """
    codes = {*errors, *EVERYWHERE}
    if body is not None:
        codes |= {Code.VALIDATION_ERROR, Code.UNSUPPORTED_MEDIA_TYPE}
    responses: dict[Any, Any] = {
        (status, media): OpenApiResponse(kind, summary, [_example(value, status, media)])
        for (status, media), (kind, value) in (others or {}).items()
    }
    for status, kind in answers.items():
        responses[status, JSON] = OpenApiResponse(kind, summary, [_example(example_of(kind), status, JSON)])
    for status in sorted({CODES[code].status for code in codes}):
        of_status = sorted(code for code in codes if CODES[code].status == status)
        said = " · ".join(f"`{code}`: {CODES[code].message}" for code in of_status)
        examples = [
            OpenApiExample(code, error_example(code), response_only=True, status_codes=[str(status)])
            for code in of_status
        ]
        responses[status, JSON] = OpenApiResponse(Failure, said, examples)
    request_examples = [] if body is None else [OpenApiExample("Request", example_of(body), request_only=True)]
    return extend_schema(
        operation_id=name,
        tags=[tag],
        summary=summary,
        request=body if body is None else {JSON: body},
        responses=responses,
        parameters=list(parameters),
        auth=None if caller == "known" else _ANYONE,
        examples=request_examples,
    )


def _example(value: Any, status: int, media: str) -> OpenApiExample:
    return OpenApiExample("Answer", value, response_only=True, status_codes=[str(status)], media_type=media)


def parameter(name: str, schema: dict[str, Any], description: str, *, place: Place = "query") -> OpenApiParameter:
    """A parameter with a schema of its own; one in the path is required."""
    return OpenApiParameter(name, schema, place, required=place == "path", description=description)


def identifier(name: str, description: str) -> OpenApiParameter:
    """An id in the path; anything else than a UUID is answered like an id that does not exist."""
    return parameter(name, {"type": "string", "format": "uuid"}, description, place="path")


def _health(summary: str, name: str, kind: type[msgspec.Struct], *, can_fail: bool) -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": REF.format(name=kind.__name__)}, "example": example_of(kind)}}
    responses: dict[str, Any] = {"200": {"description": summary, "content": content}}
    if can_fail:
        bad = {**cast(dict[str, Any], example_of(kind)), "status": "unhealthy", "database": "disconnected"}
        responses["503"] = {"description": "It is not.", "content": {JSON: {**content[JSON], "example": bad}}}
    about = {"operationId": name, "tags": ["health"], "summary": summary, "security": [{}]}
    return {"get": {**about, "responses": responses}}


def _date(kind: type[msgspec.Struct], properties: dict[str, Any]) -> None:
    """Say which texts are times; msgspec does not, since a `datetime` of its own could lack the offset."""
    for name, hint in get_type_hints(kind).items():
        if name in properties and (hint is datetime or datetime in get_args(hint)):
            for one in properties[name].get("anyOf", [properties[name]]):
                if one.get("type") == "string":
                    one["format"] = "date-time"


def add_the_rest(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's last hook: what is no DRF view, and the structs that are only referred to by name."""
    schemas = result["components"]["schemas"]
    kinds = [events.MessageData, events.AnswerData, shapes.SignedIn, shapes.SignedInByCookie, Health, Alive]
    for name, schema in msgspec.json.schema_components(kinds, ref_template=REF)[1].items():
        schemas.setdefault(name, schema)
    for kind in (*vars(events).values(), *vars(figures).values(), *vars(shapes).values()):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__name__ in schemas:
            _date(kind, schemas[kind.__name__]["properties"])
    result["paths"] |= {
        "/health": _health("Whether the server can reach what it needs.", "getHealth", Health, can_fail=True),
        "/health/live": _health("Whether the process answers.", "getLiveness", Alive, can_fail=False),
        "/health/ready": _health("Whether new clients may be sent here.", "getReadiness", Health, can_fail=True),
    }
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    # A view's methods are a set, whose order is another in each process.
    for path, item in result["paths"].items():
        result["paths"][path] = {method: item[method] for method in sorted(item, key=METHODS.index)}
    return result


METHODS = ["get", "post", "patch", "delete"]
DOCUMENT: dict[str, Any] = {
    "OAS_VERSION": "3.1.1",  # msgspec writes JSON Schema 2020-12, which 3.0 does not know
    "COMPONENT_SPLIT_REQUEST": False,  # what goes in and what comes out are different structs already
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": ["sessions_app.api.openapi.add_the_rest"],
    "SORT_OPERATIONS": False,
    "TAGS": [
        {"name": "sessions", "description": "Sessions, their people, and what was said in them."},
        {"name": "messages", "description": "The same acts as over the WebSocket."},
        {"name": "moderation", "description": "What the host and staff do to people in a session; invites into it."},
        {"name": "analytics", "description": "What happened, counted: for staff and hosts."},
        {"name": "spirits", "description": "Published personas, and the board."},
        {"name": "auth", "description": "Guests, accounts and their tokens."},
        {"name": "health", "description": "For probes; these answers have no envelope."},
    ],
}
