"""Tests of the documentation: `/asyncapi.json` and its page say what the code does."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest
from django.test import Client

from realtime import asyncapi, asyncapi_words, consumers, protocol, views
from sessions_app import events
from sessions_app.errors import CODES

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = asyncapi.document()
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
CLIENT = {name.partition(".")[2]: MESSAGES[name] for name in MESSAGES if name.startswith("client.")}
SERVER = {name.partition(".")[2]: MESSAGES[name] for name in MESSAGES if name.startswith("server.")}


def values(found: Any, key: str) -> Iterator[Any]:
    """Every value of this key, however deep."""
    if isinstance(found, dict):
        for name, value in found.items():
            if name == key:
                yield value
            yield from values(value, key)
    elif isinstance(found, list):
        for value in found:
            yield from values(value, key)


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def example(message: dict[str, Any]) -> dict[str, Any]:
    (only,) = message["examples"]
    payload: dict[str, Any] = only["payload"]
    return payload


# --- The document -----------------------------------------------------------------------------------------------------


def test_every_reference_resolves() -> None:
    references = [one for one in values(DOCUMENT, "$ref") if isinstance(one, str)]

    assert len(references) > 100
    for reference in references:
        assert reference.startswith("#/")
        assert isinstance(resolve(reference), dict), reference


def test_it_has_the_structure_of_asyncapi_3() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    assert set(DOCUMENT) - {"x-error-codes", "x-close-codes"} == {
        "asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components",
    }  # fmt: skip
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= server.keys()
    for channel in DOCUMENT["channels"].values():
        assert set(channel["parameters"]) == set(re.findall(r"{(\w+)}", channel["address"]))
    for section in ("messages", "schemas"):
        for name in DOCUMENT["components"][section]:
            assert re.fullmatch(r"[A-Za-z0-9._-]+", name), name


def test_every_operation_names_messages_of_its_channel_and_every_message_has_one() -> None:
    named: set[str] = set()
    for name, operation in DOCUMENT["operations"].items():
        assert operation["action"] in {"send", "receive"}
        assert name.startswith(operation["action"])
        assert operation["channel"] == {"$ref": "#/channels/session"}
        replies = operation.get("reply", {}).get("messages", [])
        for reference in [*operation["messages"], *replies]:
            assert reference["$ref"].startswith("#/channels/session/messages/")
            assert resolve(resolve(reference["$ref"])["$ref"])
        named |= {one["$ref"].rpartition("/")[2] for one in operation["messages"]}

    assert named == set(MESSAGES) == set(DOCUMENT["channels"]["session"]["messages"])


def test_every_event_is_in_it_and_nothing_else() -> None:
    assert set(CLIENT) == {*protocol.CLIENT_EVENTS, "bare_join"}
    assert set(SERVER) == set(events.SERVER_EVENTS)


def test_a_durable_event_has_a_seq_and_no_other_has() -> None:
    for event, message in SERVER.items():
        durable = event in events.DURABLE
        assert ("seq" in message["payload"]["properties"]) is durable
        assert ("seq" in message["payload"]["required"]) is durable
        assert ("seq" in example(message)) is durable
        assert (message["tags"] == [{"name": "durable"}]) is durable


def test_every_schema_is_one() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft7Validator.check_schema(schema)
        assert set(schema.get("required", [])) <= set(schema["properties"]), name


def test_every_field_of_every_struct_is_in_its_schema() -> None:
    for door, kinds in ((CLIENT, protocol.CLIENT_EVENTS), (SERVER, events.SERVER_EVENTS)):
        for event, kind in kinds.items():
            schema = resolve(door[event]["payload"]["properties"]["data"]["$ref"])
            assert set(schema["properties"]) == set(kind.__struct_encode_fields__), event


def test_every_error_code_is_in_it() -> None:
    listed = {row["code"]: row for row in DOCUMENT["x-error-codes"]}

    assert set(listed) == {str(code) for code in CODES}
    assert DOCUMENT["components"]["schemas"]["ErrorData"]["properties"]["code"]["enum"] == list(listed)


def test_the_words_are_about_things_that_exist() -> None:
    structs = {kind.__name__: kind for kind in asyncapi._all_structs(_all_kinds())}

    assert set(asyncapi_words.CLIENT_WORDS) <= set(protocol.CLIENT_EVENTS)
    assert set(asyncapi_words.SERVER_WORDS) <= set(events.SERVER_EVENTS)
    assert set(asyncapi_words.REPLIES) <= set(protocol.CLIENT_EVENTS)
    assert set(events.SERVER_EVENTS) >= asyncapi_words.ECHOES.union(*asyncapi_words.REPLIES.values())
    for key in asyncapi_words.FIELD_WORDS:
        struct, _, field = key.partition(".")
        owners = [kind for kind in structs.values() if struct in {base.__name__ for base in kind.__mro__}]
        assert owners, key
        assert any(field in owner.__struct_fields__ for owner in owners), key


def _all_kinds() -> list[Any]:
    return [*protocol.CLIENT_EVENTS.values(), *events.SERVER_EVENTS.values(), events.MessageData, events.AnswerData]


# --- Close codes ------------------------------------------------------------------------------------------------------


def codes_in_the_code() -> set[int]:
    """Every close code of ours that a module of the server names; the terminal client only reads them."""
    found: set[int] = set()
    for room in ("realtime", "sessions_app", "seance_project"):
        for path in (ROOT / room).rglob("*.py"):
            if path.name == "asyncapi_words.py" or "terminal" in path.parts or "migrations" in path.parts:
                continue
            text = re.sub(r"(max_length|maxsize|CHUNK|le) ?=[ \d_]+", "", path.read_text(encoding="utf-8"))
            found |= {int(code) for code in re.findall(r"(?<![\w.-])4[05]\d\d(?![\w.])", text)}
    return found


def test_every_close_code_that_is_sent_is_documented_and_no_other() -> None:
    ours = {code: row for code, row in asyncapi_words.CLOSE_CODES.items() if code >= 4000}

    assert codes_in_the_code() == set(ours)
    assert set(consumers.REFUSALS.values()) <= set(ours)


def test_the_range_of_a_close_code_says_whether_to_come_back() -> None:
    for code, row in asyncapi_words.CLOSE_CODES.items():
        if code >= 4000:
            assert row.comes_back is (code < 4500), code


# --- Examples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", sorted(CLIENT))
def test_a_client_s_example_is_understood(event: str) -> None:
    command = protocol.decode(msgspec.json.encode(example(CLIENT[event])))

    if event == "bare_join":
        assert command.is_bare
        assert command.event == "join_session"
    else:
        assert type(command.data) is protocol.CLIENT_EVENTS[event]
        assert (command.event, command.ref) == (event, "c17")


@pytest.mark.parametrize("event", sorted(SERVER))
def test_a_server_s_example_is_a_frame_of_its_struct(event: str) -> None:
    frame = msgspec.convert(example(SERVER[event]), events.Frame)

    data = msgspec.convert(frame.data, events.SERVER_EVENTS[event])

    assert frame.event == event
    assert msgspec.to_builtins(data) == frame.data  # and nothing in it is unknown to the struct


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_an_example_fits_the_schema_of_its_payload(name: str) -> None:
    schema = {**MESSAGES[name]["payload"], "components": DOCUMENT["components"]}

    jsonschema.Draft7Validator(schema).validate(example(MESSAGES[name]))


def test_the_schema_refuses_what_the_door_refuses() -> None:
    schema = {**CLIENT["send_message"]["payload"], "components": DOCUMENT["components"]}

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate({"event": "send_message", "data": {"text": 5}})


# --- The page ---------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Ids, links, and what a strict Content-Security-Policy would block."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.blocked: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if name := found.get("id"):
            self.ids.append(name)
        if tag == "a":
            self.links.append(found["href"] or "")
        if tag in {"script", "style"} or "style" in found or any(name.startswith("on") for name in found):
            self.blocked.append(tag)
        if tag in {"link", "img", "script", "iframe"}:
            self.loaded.append(found.get("href") or found.get("src") or "")


@pytest.fixture(scope="module")
def page() -> Page:
    found = Page()
    found.feed(Client().get("/docs/events").content.decode())
    return found


@pytest.mark.parametrize("path", ["/docs/events", "/docs/events/"])
def test_the_page_answers_with_and_without_a_slash_and_under_the_strict_policy(path: str) -> None:
    response = Client().get(path)

    assert response.status_code == 200
    assert "unsafe-inline" not in response["Content-Security-Policy"]
    assert Client().post(path).status_code == 405


@pytest.mark.parametrize("path", ["/asyncapi.json", "/asyncapi.json/"])
def test_the_document_is_served_as_json(path: str) -> None:
    response = Client().get(path)

    assert response["Content-Type"] == "application/json"
    assert response.json() == DOCUMENT
    assert Client().delete(path).json()["error"]["code"] == "METHOD_NOT_ALLOWED"


def test_the_page_has_nothing_inline_and_loads_nothing_from_elsewhere(page: Page) -> None:
    assert page.blocked == []
    assert all(address.startswith(("/static/", "data:")) for address in page.loaded)


def test_the_page_shows_every_event_and_every_link_in_it_leads_somewhere(page: Page) -> None:
    inner = {link[1:] for link in page.links if link.startswith("#")}

    assert set(MESSAGES) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert inner <= set(page.ids)
    assert {link for link in page.links if not link.startswith("#")} == {"/docs", "/docs/events", "/asyncapi.json"}


def test_what_stands_in_backticks_is_shown_as_code_and_everything_is_escaped() -> None:
    shown = views._marked("`a<b` & `c`")

    assert shown == "<code>a&lt;b</code> &amp; <code>c</code>"
    assert "`" not in Client().get("/docs/events").content.decode()


def test_the_page_shows_every_field_and_every_code() -> None:
    text = Client().get("/docs/events").content.decode()

    for schema in DOCUMENT["components"]["schemas"].values():
        for field in schema["properties"]:
            assert f"<code>{field}</code>" in text
    for code in (*CODES, *asyncapi_words.CLOSE_CODES):
        assert f"<code>{code}</code>" in text
