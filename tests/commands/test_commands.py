"""Tests of the operator's commands, in process, on a real database."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries

from sessions_app.management.base import Refused
from sessions_app.management.commands.seed_demo import DEMO_HOST_ID, NAME
from sessions_app.management.operator import operator
from sessions_app.models import Event, Message, Participant, RefreshToken, Session, SpiritTurn, TurnState, User
from sessions_app.security import verify_token
from sessions_app.services.messages import Draft, delete_message, post_message
from sessions_app.services.sessions import end_session
from sessions_app.services.tokens import issue_tokens
from sessions_app.services.turns import cancel_question

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def run_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


@pytest.fixture
def account() -> User:
    return User.objects.create_user("ana@example.org", None, name="Ana")


@pytest.fixture
def session(account: User) -> Session:
    return Session.objects.create(name="Friday", host=account, access="invite")


@pytest.fixture
def question(session: Session, account: User) -> Message:
    Participant.objects.create(session=session, user=account, name="Ana")
    post_message(Draft(session.id, account.id, "Is anyone there?"))
    return Message.objects.get()


# --- create_session ---------------------------------------------------------------------------------------------------


def test_a_session_without_a_host_gets_a_guest_and_its_token() -> None:
    made = run_json("create_session", "  Midnight ")

    row = Session.objects.get()
    assert (made["session"]["name"], made["session"]["id"]) == ("Midnight", str(row.id))
    assert row.host is not None
    assert row.host.is_guest
    assert verify_token(made["host_token"]).user_id == row.host_id
    assert made["urls"]["socket"].endswith(f"/ws/{row.id}")


@pytest.mark.parametrize("by", ["email", "id"])
def test_a_session_of_an_account_gets_no_token(account: User, by: str) -> None:
    given = " ANA@example.org " if by == "email" else str(account.id)

    made = run_json("create_session", "Midnight", "--host", given)

    assert made["host_token"] is None
    assert made["session"]["host_id"] == str(account.id)


def test_every_option_of_a_session_reaches_it() -> None:
    run(
        "create_session", "Midnight", "--max-users", "3", "--access", "members", "--listed",
        "--mode", "summoned", "--pace", "brisk", "--persona", "the-spirit",
    )  # fmt: skip

    row = Session.objects.get()
    assert (row.max_users, row.access, row.is_listed) == (3, "members", True)
    assert (row.spirit_mode, row.spirit_pace, row.spirit_persona) == ("summoned", "brisk", "the-spirit")


def test_an_operator_opens_sessions_where_guests_may_not(settings: Any) -> None:
    from msgspec.structs import replace

    settings.SEANCE = replace(settings.SEANCE, allow_anonymous=False)

    run("create_session", "Midnight")

    assert Session.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["\u200b"], "name: This field may not be blank."),
        (["x" * 101], "name: Ensure this field has no more than 100 characters."),
        (["ok", "--persona", "nobody"], "spirit: There is no such persona."),
        (["ok", "--host", "nobody@example.org"], "There is no user with this id or e-mail address."),
    ],
)
def test_a_refused_session_is_one_line_and_leaves_nothing(arguments: list[str], said: str) -> None:
    with pytest.raises(Refused) as refused:
        run("create_session", *arguments)

    assert str(refused.value) == said
    assert Session.objects.count() == User.objects.count() == 0


@pytest.mark.parametrize(
    "arguments", [[], ["ok", "--max-users", "1"], ["ok", "--max-users", "six"], ["ok", "--mode", "x"]]
)
def test_a_wrong_call_is_told_from_a_refusal(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as wrong:
        run("create_session", *arguments)

    assert not isinstance(wrong.value, Refused)


# --- list_sessions, end_session, history ------------------------------------------------------------------------------


def test_the_list_shows_every_session_the_newest_first(session: Session) -> None:
    newer = Session.objects.create(name="Saturday")

    found = run_json("list_sessions")

    assert [one["id"] for one in found] == [str(newer.id), str(session.id)]


def test_the_list_can_be_narrowed(session: Session) -> None:
    Session.objects.create(name="Saturday", is_active=False, ended_at=datetime.now(UTC))
    Session.objects.create(name="Friday too")

    assert [one["name"] for one in run_json("list_sessions", "--active")] == ["Friday too", "Friday"]
    assert [one["name"] for one in run_json("list_sessions", "--search", "SATUR")] == ["Saturday"]
    assert len(run_json("list_sessions", "--limit", "1")) == 1


def test_the_list_counts_seats_in_one_query(
    session: Session, account: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Participant.objects.create(session=session, user=account, name="Ana")

    with django_assert_num_queries(1):
        text = run("list_sessions")

    assert [line.split()[0] for line in text.splitlines()] == ["id", str(session.id)]
    assert " 1/6 " in text


def test_an_ended_session_is_ended_in_the_log_by_nobody(session: Session, question: Message) -> None:
    run("end_session", str(session.id))
    run("end_session", str(session.id))

    session.refresh_from_db()
    assert not session.is_active
    events = list(Event.objects.order_by("seq").values_list("type", flat=True))
    assert events == ["spirit_cancelled", "session_ended"]
    assert Event.objects.get(type="spirit_cancelled").data["by"] is None


@pytest.mark.parametrize("given", ["6f1c2a34-0000-4000-8000-000000000001", "nonsense", "\x00", ""])
@pytest.mark.parametrize("command", ["end_session", "history"])
def test_an_unknown_session_is_refused(command: str, given: str) -> None:
    with pytest.raises(Refused, match=r"^There is no such session\.$"):
        run(command, given)


def test_the_history_is_what_was_said_in_order(session: Session, question: Message, account: User) -> None:
    post_message(Draft(session.id, account.id, "Two\nlines", off_record=True))

    found = run_json("history", str(session.id))
    after = run_json("history", str(session.id), "--after-seq", "1", "--limit", "1")
    text = run("history", str(session.id))

    assert [one["text"] for one in found["messages"]] == ["Is anyone there?", "Two\nlines"]
    assert (found["meta"]["has_more"], found["meta"]["last_seq"]) == (False, 2)
    assert [one["seq"] for one in after["messages"]] == [2]
    assert text.splitlines()[2].endswith("Ana  Two lines (off the record)")


# --- The operator -----------------------------------------------------------------------------------------------------


def test_an_operator_may_do_what_staff_may_and_is_nobody(session: Session, question: Message) -> None:
    turn = SpiritTurn.objects.get()

    cancel_question(actor=operator(), session_id=session.id, turn_id=turn.id)
    delete_message(actor=operator(), session_id=session.id, message_id=question.id)
    end_session(actor=operator(), session_id=session.id)

    turn.refresh_from_db()
    assert turn.state == TurnState.CANCELLED
    assert [event.data.get("by") for event in Event.objects.order_by("seq")] == [None, None, None]
    assert User.objects.count() == 1


# --- issue_token ------------------------------------------------------------------------------------------------------


def test_a_token_is_all_that_is_printed(account: User) -> None:
    token = run("issue_token", "ana@example.org", "--minutes", "5").strip()

    claims = verify_token(token)
    assert claims.user_id == account.id
    assert 290 < claims.expires_at - datetime.now(UTC).timestamp() <= 300


def test_a_guest_is_made_for_a_token() -> None:
    told = run_json("issue_token", "--guest", "Grete")

    assert (told["user"]["name"], told["user"]["is_guest"]) == ("Grete", True)
    assert verify_token(told["access"]).user_id == UUID(told["user"]["id"])


def test_whoever_is_banned_gets_no_token(account: User) -> None:
    User.objects.update(is_active=False)

    with pytest.raises(Refused, match="banned"):
        run("issue_token", str(account.id))


@pytest.mark.parametrize("arguments", [[], ["a@example.org", "--guest", "Grete"]])
def test_a_token_is_for_exactly_one_person(arguments: list[str]) -> None:
    with pytest.raises(CommandError) as wrong:
        run("issue_token", *arguments)

    assert wrong.value.returncode == 2


# --- seed_demo --------------------------------------------------------------------------------------------------------


def test_the_demo_is_made_once() -> None:
    first, second = run_json("seed_demo"), run_json("seed_demo")

    assert (first["created"], second["created"]) == (True, False)
    assert first["session"]["id"] == second["session"]["id"]
    row = Session.objects.get()
    assert (row.name, row.is_listed, row.access, row.host_id) == (NAME, True, "open", DEMO_HOST_ID)


def test_a_demo_that_was_ended_has_a_successor() -> None:
    first = run_json("seed_demo")
    run("end_session", first["session"]["id"])

    second = run_json("seed_demo")

    assert second["created"]
    assert second["session"]["id"] != first["session"]["id"]


def test_a_session_of_the_same_name_is_no_demo() -> None:
    other = Session.objects.create(name=NAME, is_listed=True)

    made = run_json("seed_demo")

    assert made["created"]
    assert made["session"]["id"] != str(other.id)


def test_expired_tokens_are_purged_and_good_ones_stay() -> None:
    guest = User.objects.create(name="Grete", is_guest=True)
    issue_tokens(guest)
    RefreshToken.objects.update(expires_at=guest.joined_at)
    issue_tokens(guest)

    assert run("purge_tokens") == "1 forgotten.\n"
    assert RefreshToken.objects.count() == 1
