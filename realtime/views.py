"""realtime, `/asyncapi.json` and its page `/docs/events`: read, with no script and nothing from elsewhere."""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import msgspec
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from realtime.asyncapi import JSON, as_json, document

BOUNDS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
    "default": "default {}",
}
GROUPS = (
    (
        "client",
        "From the client",
        "What a client may send. Whatever is refused gets an `error` with the frame's `ref`.",
    ),
    ("durable", "The log", "Entries of the session's log: each has a `seq`, and every socket gets them all, in order."),
    ("state", "State", "What is true now. Not in the log: healed by `welcome` and by the next of its kind."),
    ("answers", "Answers", "To one socket only."),
)


class Field(NamedTuple):
    """One row of a table. `links` are the schemas that its type names."""

    name: str
    kind: str
    links: tuple[str, ...]
    is_required: bool
    words: SafeString


class Event(NamedTuple):
    """One message of the document."""

    name: str
    anchor: str
    summary: SafeString
    shape: str
    fields: tuple[Field, ...]
    answers: tuple[str, ...]
    example: str


class Group(NamedTuple):
    """Events that belong together."""

    anchor: str
    title: str
    about: SafeString
    events: tuple[Event, ...]


class Shape(NamedTuple):
    """A schema that events refer to."""

    name: str
    about: SafeString
    fields: tuple[Field, ...]


def asyncapi(request: HttpRequest) -> HttpResponse:
    """`/asyncapi.json`."""
    return HttpResponse(as_json(), JSON)


def page(request: HttpRequest) -> HttpResponse:
    """`/docs/events`."""
    return render(request, "realtime/events.html", contents())


@cache
def contents() -> dict[str, Any]:
    """What the page shows; like the document it depends on nothing but the code."""
    found = document()
    groups = tuple(Group(tag, title, _marked(about), tuple(_events(found, tag))) for tag, title, about in GROUPS)
    shown = {event.shape for group in groups for event in group.events}
    schemas = found["components"]["schemas"]
    linked = set(_links(schemas))  # an event's own data can be part of another's, too
    shapes = tuple(
        Shape(name, _marked(schema.get("description", "")), _fields(schema))
        for name, schema in schemas.items()
        if name not in shown or name in linked
    )
    return {
        "info": found["info"],
        "about": _marked(found["info"]["description"]),
        "address": found["channels"]["session"]["address"],
        "groups": groups,
        "shapes": shapes,
        "errors": found["x-error-codes"],
        "closes": [{**row, "meaning": _marked(row["meaning"])} for row in found["x-close-codes"]],
    }


def _events(found: dict[str, Any], tag: str) -> Iterator[Event]:
    for key, message in found["components"]["messages"].items():
        if message["tags"] != [{"name": tag}]:
            continue
        data = message["payload"]["properties"].get("data")
        name = data["$ref"].rpartition("/")[2] if data else ""
        schema = found["components"]["schemas"][name] if data else message["payload"]
        reply = found["operations"].get(f"receive_{key.partition('.')[2]}", {}).get("reply", {})
        yield Event(
            name=message["name"],
            anchor=key,
            summary=_marked(message["summary"]),
            shape=name,
            fields=_fields(schema),
            answers=tuple(one["$ref"].rpartition("/")[2] for one in reply.get("messages", ()))
            if tag == "client"
            else (),
            example=_pretty(message["examples"][0]["payload"]),
        )


def _pretty(value: Any) -> str:
    """Indented; lists of numbers on one line, long lists of moves cut short by the reader's eye, not by us."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    lines: list[str] = []
    for line in text.splitlines():
        bare = line.strip()
        if lines and bare.rstrip(",").lstrip("-").isdigit():
            lines[-1] += ("" if lines[-1].endswith("[") else " ") + bare
        elif lines and bare.startswith("]") and lines[-1][-1:].isdigit():
            lines[-1] += bare
        else:
            lines.append(line)
    return "\n".join(lines)


def _fields(schema: dict[str, Any]) -> tuple[Field, ...]:
    required = schema.get("required", [])
    return tuple(
        Field(name, _kind(found), tuple(dict.fromkeys(_links(found))), name in required, _words(found))
        for name, found in schema.get("properties", {}).items()
    )


def _kind(schema: dict[str, Any]) -> str:
    """A type in words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    for several in ("anyOf", "allOf"):
        if several in schema:
            return " or ".join(_kind(one) for one in schema[several])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    kind = schema.get("type", "anything")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        items = schema.get("items", {})
        inner = ", ".join(map(_kind, items)) if isinstance(items, list) else _kind(items)
        return f"list of {inner}"
    return f"{kind} ({schema['format']})" if "format" in schema else str(kind)


def _links(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _links(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _links(value)


def _words(schema: dict[str, Any]) -> SafeString:
    """Bounds and description, as sentences."""
    inner = [schema, *schema.get("anyOf", ())]
    items = schema.get("items")
    bounds = [words.format(_plain(one[key])) for one in inner for key, words in BOUNDS.items() if key in one]
    if isinstance(items, dict):
        bounds += [f"each {words.format(items[key])}" for key, words in BOUNDS.items() if key in items]
    said = [f"{', '.join(bounds)}."] if bounds else []
    words = " ".join([*said, str(schema.get("description", ""))]).strip()
    return _marked(words[:1].upper() + words[1:])


def _marked(text: str) -> SafeString:
    """What stands in backticks as code, all of it escaped."""
    parts = enumerate(text.split("`"))
    return format_html_join("", "{}", ((format_html("<code>{}</code>", part) if n % 2 else part,) for n, part in parts))


def _plain(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
