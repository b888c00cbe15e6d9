"""Tests of realtime/protocol: whatever comes in is a command or a bad frame, and never another exception."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django import Settings
from uuid_utils.compat import uuid7

from realtime.protocol import CLIENT_EVENTS, BadFrame, Command, SendMessage, decode
from sessions_app.errors import Code
from tests.services.helpers import with_settings

pytestmark = pytest.mark.once

BAD = {Code.INVALID_FORMAT, Code.UNKNOWN_EVENT, Code.VALIDATION_ERROR}
EVENTS = sorted(CLIENT_EVENTS)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\x00", "\ud800", 2**64, -(2**63) - 1, 10**400, str(uuid7()), "summoned", "x" * 5000])
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)
FIELDS = sorted({field for shape in CLIENT_EVENTS.values() for field in shape.__struct_fields__})
DATA = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), JSON, max_size=5)


def outcome(frame: str | bytes) -> Command | BadFrame:
    try:
        return decode(frame)
    except BadFrame as bad:
        found = bad
    assert found.code in BAD
    assert found.message
    return found


def refused(frame: str | bytes) -> BadFrame:
    found = outcome(frame)
    assert isinstance(found, BadFrame), found
    return found


def command(event: str, /, **data: Any) -> Command:
    return decode(json.dumps({"event": event, "data": data}))


# --- Anything ---------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
@example(b"")
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf{}")
def test_any_bytes_are_a_command_or_a_bad_frame(raw: bytes) -> None:
    outcome(raw)


@given(st.text(st.characters(), max_size=300))
@example('{"event": "typing", "data": {"is_typing": "\ud800"}}')
def test_any_text_is_a_command_or_a_bad_frame(text: str) -> None:
    outcome(text)


@given(JSON)
def test_any_json_is_a_command_or_a_bad_frame(value: object) -> None:
    outcome(json.dumps(value))


@given(event=st.sampled_from(EVENTS) | st.text(max_size=10), data=DATA, ref=SCALARS)
def test_any_data_of_any_event_is_a_command_or_a_bad_frame(event: str, data: dict[str, Any], ref: object) -> None:
    found = outcome(json.dumps({"event": event, "data": data, "ref": ref}))

    if isinstance(found, Command):
        assert found.event == event
        assert isinstance(found.data, CLIENT_EVENTS[event])


@given(SCALARS, SCALARS)
def test_any_bare_form_is_a_join_or_a_bad_frame(user_id: object, name: object) -> None:
    found = outcome(json.dumps({"user_id": user_id, "name": name}))

    assert isinstance(found, BadFrame) or (found.event == "join_session" and found.is_bare)


# --- What is no JSON object -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        "", " ", "null", "true", "1", '"x"', "[]", "[{}]", "{", "}", "{}", "{'event': 'typing'}", '{"event"}',
        '{"event": "typing"} {}', '{"event": "typing",}', '{"event": null}', '{"event": 5}', '{"event": ["typing"]}',
        '{"event": "typing", "data": NaN}', '{"event": "typing", "data": {"x": NaN}}', '{"data": {}}', '{"ref": "1"}',
        '{"event": "typing", "data": {"x": Infinity}}', '{"event": "heartbeat", "data": {"last_seq": -Infinity}}',
        '{"event": "typing", "data": null}', '{"event": "typing", "data": []}', '{"event": "typing", "data": "x"}',
        '{"event": "typing", "data": {"x": "\t"}}', '{"event": "typing", "data": {"x": "\\ud800"}}',
        '{"event": "typing", "data": {"x": "\\x00"}}', '{"event": "typing", "data": {"x": 01}}',
    ],
)  # fmt: skip
def test_what_is_no_well_formed_frame_is_an_invalid_format(frame: str) -> None:
    assert refused(frame).code == Code.INVALID_FORMAT


def test_a_lone_surrogate_is_an_invalid_format_however_it_is_written() -> None:
    assert refused('{"event": "send_message", "data": {"text": "\\ud800"}}').code == Code.INVALID_FORMAT
    assert refused('{"event": "send_message", "data": {"text": "\ud800"}}').code == Code.INVALID_FORMAT
    assert refused(b'{"event": "send_message", "data": {"text": "\xed\xa0\x80"}}').code == Code.INVALID_FORMAT


def test_a_pair_of_surrogates_is_a_character() -> None:
    data = decode('{"event": "send_message", "data": {"text": "\\ud83d\\udc7b"}}').data

    assert isinstance(data, SendMessage)
    assert data.text == "\U0001f47b"


@pytest.mark.parametrize("digits", [20, 400, 4299, 4301, 5000, 16_000])
@pytest.mark.parametrize("field", ["last_seq", "other"])
def test_a_huge_number_is_refused_or_ignored_and_breaks_nothing(digits: int, field: str) -> None:
    found = outcome(f'{{"event": "heartbeat", "data": {{"{field}": {"9" * digits}}}}}')

    assert isinstance(found, BadFrame) or field == "other"


def test_a_number_beyond_the_database_s_is_a_wrong_field() -> None:
    for number in (2**63, -1, 1e300, 1.5):
        bad = refused(json.dumps({"event": "heartbeat", "data": {"last_seq": number}}))
        assert bad.code == Code.VALIDATION_ERROR
        assert set(bad.details) == {"last_seq"}
    assert isinstance(command("heartbeat", last_seq=2**63 - 1), Command)


# --- Size and depth ---------------------------------------------------------------------------------------------------


def test_a_frame_has_at_most_16_kib() -> None:
    frame = '{"event": "typing", "data": {"x": "%s"}}'
    fill = 16_384 - len(frame % "")

    assert isinstance(outcome(frame % ("x" * fill)), Command)
    assert refused(frame % ("x" * (fill + 1))).code == Code.INVALID_FORMAT
    assert refused(frame % ("é" * (fill // 2 + 1))).code == Code.INVALID_FORMAT


def test_the_size_of_a_frame_is_a_setting(settings: Settings) -> None:
    settings.SEANCE = with_settings(frame_max_bytes=1024)

    assert refused('{"event": "typing", "data": {"x": "%s"}}' % ("x" * 1000)).code == Code.INVALID_FORMAT


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"x":', "}")])
def test_json_may_be_nested_eight_deep(opening: str, closing: str) -> None:
    def frame(depth: int) -> str:
        return f'{{"event": "typing", "data": {{"x": {opening * (depth - 2)}1{closing * (depth - 2)}}}}}'

    assert isinstance(outcome(frame(8)), Command)
    assert refused(frame(9)).code == Code.INVALID_FORMAT
    assert refused(frame(2000)).code == Code.INVALID_FORMAT
    assert refused(opening * 5000).code == Code.INVALID_FORMAT


def test_brackets_in_a_string_are_no_nesting() -> None:
    text = '[[[[[[[[[[{{{{{{\\"\\\\[['

    assert isinstance(outcome(f'{{"event": "send_message", "data": {{"text": "{text}"}}}}'), Command)


@given(st.text(st.sampled_from('[]{}"\\ab'), max_size=200))
def test_depth_is_counted_outside_of_strings_only(text: str) -> None:
    assert isinstance(outcome(json.dumps({"event": "send_message", "data": {"text": text}})), Command)


# --- What is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_of_the_contract_is_known(event: str) -> None:
    identity = str(uuid7())
    data = {"message_id": identity, "turn_id": identity, "user_id": identity, "token": "t", "text": "x"}

    found = command(event, **data)

    assert (found.event, found.ref, found.is_bare) == (event, None, False)


def test_an_unknown_event_keeps_its_ref() -> None:
    for event in ("", "Typing", "typing ", "welcome", "message_received", "__class__"):
        bad = refused(json.dumps({"event": event, "data": {}, "ref": "c1"}))
        assert (bad.code, bad.ref) == (Code.UNKNOWN_EVENT, "c1")


def test_a_wrong_field_is_named_and_keeps_its_ref() -> None:
    frame = {"event": "delete_message", "ref": "c2", "data": {"message_id": "no id"}}

    bad = refused(json.dumps(frame))

    assert (bad.code, bad.ref, set(bad.details)) == (Code.VALIDATION_ERROR, "c2", {"message_id"})


def test_every_wrong_field_is_named() -> None:
    bad = refused('{"event": "send_message", "data": {"text": 5, "client_msg_id": 6, "off_record": "no"}}')

    assert set(bad.details) == {"text", "client_msg_id", "off_record"}


def test_unknown_fields_are_ignored() -> None:
    found = decode('{"event": "typing", "ref": null, "id": 7, "data": {"is_typing": false, "colour": {"a": [1]}}}')

    assert msgspec.to_builtins(found.data) == {"is_typing": False}


def test_of_a_key_that_comes_twice_the_last_counts() -> None:
    found = decode('{"event": "leave_session", "event": "typing", "data": {"is_typing": true, "is_typing": false}}')

    assert found.event == "typing"
    assert msgspec.to_builtins(found.data) == {"is_typing": False}


@pytest.mark.parametrize("ref", ["", "x" * 64, "é" * 64, "\x00"])
def test_a_ref_of_up_to_64_characters_is_kept(ref: str) -> None:
    assert decode(json.dumps({"event": "typing", "ref": ref})).ref == ref


@pytest.mark.parametrize("ref", ["x" * 65, 5, 1.5, True, [], {}])
def test_any_other_ref_is_a_wrong_field(ref: object) -> None:
    bad = refused(json.dumps({"event": "typing", "ref": ref}))

    assert (bad.code, set(bad.details), bad.ref) == (Code.VALIDATION_ERROR, {"ref"}, None)


def test_data_may_be_left_out() -> None:
    assert msgspec.to_builtins(decode('{"event": "typing"}').data) == {"is_typing": True}
    assert refused('{"event": "refresh_token"}').code == Code.VALIDATION_ERROR


# --- The bare form ----------------------------------------------------------------------------------------------------


def test_the_bare_form_is_a_join() -> None:
    found = decode('{"user_id": "1", "name": "User1", "role": "host", "token": "ignored"}')

    assert (found.event, found.is_bare) == ("join_session", True)
    data = msgspec.to_builtins(found.data)
    assert {key: value for key, value in data.items() if value} == {"user_id": "1", "name": "User1"}


def test_the_bare_form_needs_one_of_its_fields() -> None:
    assert decode('{"name": "User1"}').is_bare
    assert decode('{"user_id": "1"}').is_bare
    assert refused('{"text": "hello"}').code == Code.INVALID_FORMAT


def test_a_number_for_a_user_id_is_what_the_first_clients_sent() -> None:
    assert msgspec.to_builtins(decode('{"user_id": 1}').data)["user_id"] == "1"
    for wrong in ("true", "1.5", "[]", "{}"):
        assert refused(f'{{"user_id": {wrong}}}').code == Code.VALIDATION_ERROR


def test_a_name_that_is_none_is_left_out() -> None:
    assert msgspec.to_builtins(decode('{"user_id": "1", "name": null}').data)["name"] is None
    assert set(refused('{"user_id": "1", "name": 5}').details) == {"name"}
