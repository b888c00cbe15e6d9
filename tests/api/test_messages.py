"""Tests of the REST door: messages are posted and taken away."""

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions_app.models import Message, Participant, User
from tests.api.conftest import Caller

Say = Callable[..., Message]
Seat = Callable[..., Participant]


def test_the_host_posts_without_a_seat(path: str, as_host: Caller) -> None:
    answer = as_host.post(f"{path}/messages", {"text": "  Is anyone there?\n"})

    assert answer.status == 201
    assert (answer.data["seq"], answer.data["text"], answer.data["user_name"]) == (1, "Is anyone there?", "Ada")
    assert answer.meta["duplicate"] is False
    assert answer.response["Location"] == f"{path}/messages/{answer.data['id']}"
    assert Caller().get(f"{path}/history").data == [answer.data]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"), ({"text": 123}, "text"), ({"text": None}, "text"), ({"text": ["x"]}, "text"),
        ({"text": ""}, "text"), ({"text": " \n "}, "text"), ({"text": "\u200b"}, "text"), ({"text": "x" * 501}, "text"),
        ({"text": "a\x00b"}, "text"), ({"text": "a\x1bb"}, "text"), ({"text": "a\ufffeb"}, "text"),
        ({"text": "x", "client_msg_id": 1}, "client_msg_id"), ({"text": "x", "client_msg_id": ""}, "client_msg_id"),
        ({"text": "x", "client_msg_id": "i" * 65}, "client_msg_id"),
        ({"text": "x", "client_msg_id": "\u00e9"}, "client_msg_id"),
        ({"text": "x", "client_msg_id": "a\nb"}, "client_msg_id"),
        ({"text": "x", "off_record": "no"}, "off_record"), ({"text": "x", "off_record": 0}, "off_record"),
    ],
)  # fmt: skip
def test_a_wrong_message_is_a_validation_error(path: str, as_host: Caller, body: dict[str, Any], field: str) -> None:
    answer = as_host.post(f"{path}/messages", body)

    assert answer.outcome == (400, "VALIDATION_ERROR")
    assert list(answer.error["details"]) == [field]
    assert all(isinstance(said, str) for said in answer.error["details"][field])
    assert Message.objects.count() == 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=520))
def test_a_text_is_stored_normalised_or_refused(path: str, as_host: Caller, text: str) -> None:
    answer = as_host.post(f"{path}/messages", {"text": text})

    if answer.status == 201:
        assert answer.data["text"] == unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
        assert 1 <= len(answer.data["text"]) <= 500
    else:
        assert answer.outcome == (400, "VALIDATION_ERROR")
        assert list(answer.error["details"]) == ["text"]


def test_five_hundred_characters_are_a_message(path: str, as_host: Caller) -> None:
    assert as_host.post(f"{path}/messages", {"text": "🕯" * 500}).status == 201


@pytest.mark.parametrize("in_header", [False, True])
def test_the_same_message_again_is_the_stored_one(path: str, as_host: Caller, in_header: bool) -> None:
    key: Any = {"Idempotency-Key": "c1"} if in_header else {}
    body = {"text": "once"} if in_header else {"text": "once", "client_msg_id": "c1"}

    first, second = as_host.post(f"{path}/messages", body, **key), as_host.post(f"{path}/messages", body, **key)

    assert (first.status, second.status) == (201, 200)
    assert second.data == first.data
    assert second.data["client_msg_id"] == "c1"
    assert second.meta["duplicate"] is True
    assert Message.objects.count() == 1


def test_the_same_id_with_another_text_is_a_conflict(path: str, as_host: Caller) -> None:
    as_host.post(f"{path}/messages", {"text": "one", "client_msg_id": "c1"})

    assert as_host.post(f"{path}/messages", {"text": "two", "client_msg_id": "c1"}).outcome == (
        409,
        "IDEMPOTENCY_CONFLICT",
    )


def test_header_and_field_must_agree(path: str, as_host: Caller) -> None:
    body, url = {"text": "x", "client_msg_id": "c1"}, f"{path}/messages"

    agreed = as_host.post(url, body, Idempotency_Key="c1")
    differing = as_host.post(url, body, Idempotency_Key="c2")

    assert agreed.status == 201
    assert (differing.outcome, list(differing.error["details"])) == ((400, "VALIDATION_ERROR"), ["client_msg_id"])


def test_whoever_has_no_voice_is_refused(path: str, guest: User, as_guest: Caller, seat: Seat) -> None:
    assert Caller().post(f"{path}/messages", {"text": "x"}).outcome == (401, "UNAUTHORIZED")
    assert as_guest.post(f"{path}/messages", {"text": "x"}).outcome == (403, "FORBIDDEN")
    row = seat(guest, role="observer")
    assert as_guest.post(f"{path}/messages", {"text": "x"}).outcome == (403, "FORBIDDEN")
    row.role, row.is_muted = "participant", True
    row.save()
    assert as_guest.post(f"{path}/messages", {"text": "x"}).outcome == (403, "FORBIDDEN")
    row.is_muted = False
    row.save()
    assert as_guest.post(f"{path}/messages", {"text": "x"}).status == 201


def test_author_host_and_staff_delete(
    path: str, guest: User, member: User, staff: User, as_host: Caller, seat: Seat, say: Say
) -> None:
    seat(guest)
    mine, hers, its, his = (say(text, user=guest, user_name="Grete") for text in ("a", "b", "c", "d"))

    assert Caller(guest).delete(f"{path}/messages/{mine.id}").data["deleted_at"]
    assert as_host.delete(f"{path}/messages/{hers.id}").status == 200
    assert Caller(staff).delete(f"{path}/messages/{its.id}").status == 200
    assert Caller(member).delete(f"{path}/messages/{his.id}").outcome == (403, "FORBIDDEN")
    assert Caller().delete(f"{path}/messages/{his.id}").outcome == (401, "UNAUTHORIZED")
    assert [row["text"] for row in Caller().get(f"{path}/history").data] == ["d"]


def test_deleting_twice_is_the_same_as_once(path: str, as_host: Caller, say: Say) -> None:
    message = say("gone")

    first, second = (as_host.delete(f"{path}/messages/{message.id}") for _ in range(2))

    assert (first.status, second.status) == (200, 200)
    assert first.data == second.data


@pytest.mark.parametrize("key", ["x", "1", "6f1c2a34-0000-4000-8000-000000000001", "%00"])
def test_a_message_that_is_not_there_is_not_found(path: str, as_host: Caller, key: str) -> None:
    assert as_host.delete(f"{path}/messages/{key}").outcome == (404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_a_message_has_no_other_methods(path: str, as_host: Caller, say: Say, method: str) -> None:
    assert as_host(method, f"{path}/messages/{say('x').id}").outcome == (405, "METHOD_NOT_ALLOWED")
