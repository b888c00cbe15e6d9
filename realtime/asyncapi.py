"""realtime, the AsyncAPI 3.0 document of `/ws/{session_id}`, made from the structs that decode and encode its frames.

Source: docs/protocol.md, section 2. Nothing is written down twice: names, types and bounds are the structs' own, the
codes are those of `errors`, and what cannot be read off the code stands in `asyncapi_words`.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec
from django.conf import settings
from msgspec import Struct

from realtime.asyncapi_examples import command_of, frame_of
from realtime.asyncapi_words import CLIENT_WORDS, CLOSE_CODES, ECHOES, FIELD_WORDS, REPLIES, SERVER_WORDS
from realtime.middleware import SUBPROTOCOL
from realtime.protocol import CLIENT_EVENTS, REF_MAX
from sessions_app import events
from sessions_app.errors import CODES
from sessions_app.spirits.board import BoardScript, Move

JSON = "application/json"
_REF = "#/components/schemas/{name}"
_TIME = {"type": "string", "format": "date-time"}

ABOUT = f"""One socket is one person in one session. Frames are text, one JSON object each: a client's is
`{{"event", "ref"?, "data"}}`, the server's `{{"event", "data", "timestamp", "seq"?, "ref"?}}`. Join first.
Clients ignore events and fields that they do not know; so does the server. A token comes in `join_session`, as
`Authorization: Bearer …`, as the subprotocols `{SUBPROTOCOL}, bearer.<token>`, or as a cookie; never in the URL."""


@cache
def as_json() -> bytes:
    """The document, as it is served."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2)


@cache
def document() -> dict[str, Any]:
    """The whole document; it depends on nothing but the code."""
    messages = dict(_client_messages()) | dict(_server_messages())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Séance: events",
            "version": str(settings.SPECTACULAR_SETTINGS["VERSION"]),
            "description": " ".join(ABOUT.split()),
            "license": {"name": "MIT"},
        },
        "defaultContentType": JSON,
        "servers": {
            "development": {"host": "127.0.0.1:8000", "protocol": "ws", "description": "What `make run` starts."}
        },
        "channels": {
            "session": {
                "address": "/ws/{session_id}",
                "title": "A session",
                "description": "With and without a slash at the end.",
                "parameters": {"session_id": {"description": "The session's id, a UUID."}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": _operations(messages),
        "components": {"messages": messages, "schemas": _schemas()},
        "x-error-codes": [
            {"code": str(code), "message": row.message, "retryable": row.retryable, "httpStatus": row.status}
            for code, row in CODES.items()
        ],
        "x-close-codes": [
            {"code": code, "meaning": row.meaning, "comesBack": row.comes_back} for code, row in CLOSE_CODES.items()
        ],
    }


# --- Messages ---------------------------------------------------------------------------------------------------------


def _client_messages() -> Iterable[tuple[str, dict[str, Any]]]:
    for event, kind in CLIENT_EVENTS.items():
        needed = ["data"] if any(field.required for field in msgspec.structs.fields(kind)) else []
        payload = {
            "type": "object",
            "required": ["event", *needed],
            "properties": {
                "event": {"const": event},
                "ref": {"type": "string", "maxLength": REF_MAX, "description": "Echoed in the answer."},
                "data": {"$ref": _REF.format(name=_name(kind))},
            },
        }
        about = CLIENT_WORDS.get(event) or kind.__doc__ or ""
        yield f"client.{event}", _message(event, about, payload, "client", command_of(event, kind))
    bare = {
        "type": "object",
        "anyOf": [{"required": ["user_id"]}, {"required": ["name"]}],
        "properties": {"user_id": {"type": ["string", "integer"]}, "name": {"type": "string"}},
    }
    about = "The original first frame, without an event. Its sender also gets a `user_joined` for each person present."
    yield "client.bare_join", _message("bare join", about, bare, "client", {"user_id": "1", "name": "User1"})


def _server_messages() -> Iterable[tuple[str, dict[str, Any]]]:
    for group, kinds in (("durable", events.DURABLE), ("state", events.STATE), ("answers", events.ANSWERS)):
        for event, kind in kinds.items():
            durable, echo = group == "durable", event in ECHOES
            properties: dict[str, Any] = {
                "event": {"const": event},
                "data": {"$ref": _REF.format(name=_name(kind))},
                "timestamp": _TIME,
            }
            if durable:
                properties["seq"] = {"type": "integer", "minimum": 1, "description": "The place in the log."}
            if echo:
                properties["ref"] = {"type": "string", "maxLength": REF_MAX, "description": "That of the frame."}
            needed = ["event", "data", "timestamp", *(["seq"] if durable else [])]
            payload = {"type": "object", "required": needed, "properties": properties}
            about = SERVER_WORDS.get(event) or kind.__doc__ or ""
            example = frame_of(event, kind, durable=durable, echo=echo)
            yield f"server.{event}", _message(event, about, payload, group, example)


def _message(event: str, about: str, payload: dict[str, Any], tag: str, example: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": event,
        "title": event,
        "summary": about,
        "contentType": JSON,
        "tags": [{"name": tag}],
        "payload": payload,
        "examples": [{"name": event.replace(" ", "_"), "payload": example}],
    }


def _operations(messages: Iterable[str]) -> dict[str, Any]:
    """From the server's side: it receives what clients send, and sends the rest."""
    channel = {"$ref": "#/channels/session"}
    found: dict[str, Any] = {}
    for name in messages:
        door, _, event = name.partition(".")
        if door == "client":
            joins = "join_session" if event == "bare_join" else event
            replies = [f"server.{reply}" for reply in (*REPLIES.get(joins, ()), "error")]
            found[f"receive_{event}"] = {
                "action": "receive",
                "channel": channel,
                "messages": [_of_channel(name)],
                "reply": {"channel": channel, "messages": [_of_channel(reply) for reply in replies]},
            }
        else:
            found[f"send_{event}"] = {"action": "send", "channel": channel, "messages": [_of_channel(name)]}
    return found


def _of_channel(message: str) -> dict[str, str]:
    return {"$ref": f"#/channels/session/messages/{message}"}


# --- Schemas ----------------------------------------------------------------------------------------------------------


def _name(kind: type[Struct]) -> str:
    """The schema's name of a struct. Where both sides have one of the same name, the client's says so."""
    clash = kind.__name__ in {other.__name__ for other in events.SERVER_EVENTS.values()}
    return f"Client{kind.__name__}" if clash and kind in CLIENT_EVENTS.values() else kind.__name__


def _schemas() -> dict[str, Any]:
    kinds: list[type[Struct]] = [*CLIENT_EVENTS.values(), *events.SERVER_EVENTS.values()]
    kinds += [events.MessageData, events.AnswerData, BoardScript, Move]
    unique = list(dict.fromkeys(kinds))
    _, found = msgspec.json.schema_components(unique, ref_template=_REF)
    # msgspec tells structs of the same name apart by their module; we by their side.
    long = {f"{kind.__module__}.{kind.__name__}": _name(kind) for kind in unique}
    made: dict[str, Any] = {long.get(name, name): _tidy(schema, long) for name, schema in found.items()}
    by_name = {_name(kind): kind for kind in _all_structs(unique)}
    for name, schema in made.items():
        if (kind := by_name.get(name)) is not None:
            _add_words(schema, kind)
    _open_up(made)
    return dict(sorted(made.items()))


def _all_structs(kinds: Iterable[Any]) -> list[type[Struct]]:
    """These and all that their fields refer to."""
    found: dict[type[Struct], None] = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, Struct):
            if kind not in found:
                found[kind] = None
                waiting += get_type_hints(kind).values()
        else:
            waiting += get_args(kind)
    return list(found)


def _tidy(schema: Any, long: dict[str, str]) -> Any:
    """What AsyncAPI's own dialect, JSON Schema draft 7, would not understand, and our names in references."""
    if isinstance(schema, list):
        return [_tidy(item, long) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _tidy(value, long) for key, value in schema.items()}
    if "prefixItems" in found:
        found["items"] = found.pop("prefixItems")
    if "$ref" in found:
        name = found["$ref"].rpartition("/")[2]
        found["$ref"] = _REF.format(name=long.get(name, name))
    if isinstance(found.get("description"), str):
        found["description"] = " ".join(found["description"].split())
    return found


def _add_words(schema: dict[str, Any], kind: type[Struct]) -> None:
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        here = schema["properties"][field.encode_name]
        hint = hints[field.name]
        if hint is datetime:
            here["format"] = "date-time"
        elif datetime in get_args(hint):
            here["anyOf"][0]["format"] = "date-time"
        for base in reversed(kind.__mro__):
            words = FIELD_WORDS.get(f"{base.__name__}.{field.name}", {})
            if "$ref" in here and words:  # draft 7 ignores what stands beside a reference
                here = schema["properties"][field.encode_name] = {"allOf": [dict(here)]}
            here.update(words)


def _open_up(schemas: dict[str, Any]) -> None:
    """Where the struct says `Any`, because the same value comes ready-made from the database: what it really is."""
    for name in ("AnswerData", "SpiritResponse"):
        schemas[name]["properties"]["board_script"] = {"$ref": _REF.format(name="BoardScript")}
        schemas[name]["properties"]["letter_timings"]["items"] |= {"minimum": 50, "maximum": 500}
    schemas["SpiritMove"]["properties"]["moves"]["items"] = {"$ref": _REF.format(name="Move")}
    either = [{"$ref": _REF.format(name=name)} for name in ("AnswerData", "MessageData")]
    schemas["Welcome"]["properties"]["recent"]["items"] = {"anyOf": either}
    schemas["ErrorData"]["properties"]["code"]["enum"] = [str(code) for code in CODES]
