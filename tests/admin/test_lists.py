"""Tests of the admins' room: lists look at no more rows than a page needs, and say so where there is more."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from sessions_app.admin import base, lists
from sessions_app.models import Message, Participant, Session, SpiritTurn, User

MESSAGES, TURNS, SESSIONS = (f"/admin/sessions_app/{name}/" for name in ("message", "spiritturn", "session"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of a few rows is a long one."""
    monkeypatch.setattr(lists, "COUNTED", 120)
    monkeypatch.setattr(lists, "LATEST", 4)


def found(client: Client, path: str, **query: Any) -> list[Any]:
    response = client.get(path, query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def test_a_count_ends_and_says_that_there_is_more(admin: Client) -> None:
    Session.objects.bulk_create([Session(name=f"No {number}") for number in range(130)])

    page = admin.get(SESSIONS)
    last = admin.get(SESSIONS, {"p": 3})
    beyond = admin.get(SESSIONS, {"p": 4})

    assert "120 or more sessions" in page.content.decode()
    assert page.context["cl"].paginator.num_pages == 3
    assert len(last.context["cl"].result_list) == 20
    assert (beyond.status_code, beyond["Location"]) == (302, f"{SESSIONS}?e=1")


def test_a_short_list_is_counted_to_its_end(admin: Client, crowd: list[Session]) -> None:
    page = admin.get(SESSIONS).content.decode()

    assert "30 sessions" in page
    assert "or more" not in page


def test_words_are_looked_for_in_the_latest_rows_and_in_one_session_in_all(
    admin: Client, session: Session, say: Callable[[str], Message]
) -> None:
    rows = [say(f"word {number}") for number in range(6)]

    everywhere = found(admin, MESSAGES, q="word")
    here = found(admin, MESSAGES, q="word", session__id__exact=session.pk)

    assert everywhere == rows[:1:-1]
    assert here == rows[::-1]


def test_questions_are_looked_for_in_the_latest_turns(admin: Client, say: Callable[[str], Message]) -> None:
    rows = [say(f"word {number}?") for number in range(6)]
    for row in rows:
        SpiritTurn.objects.get_or_create(message=row, defaults={"session": row.session, "number": row.seq + 50})

    assert len(found(admin, TURNS, q="word")) == 4


def test_a_whole_id_is_that_of_a_message_a_session_or_a_person(
    admin: Client, session: Session, host: User, say: Callable[[str], Message]
) -> None:
    rows = [say("one"), say("two")]
    guest = User.objects.create(name="Bo", is_guest=True)
    Participant.objects.create(session=session, user=guest, name="Bo")
    other = Message.objects.create(session=session, seq=50, user=guest, user_name="Bo", text="three")

    assert found(admin, MESSAGES, q=rows[0].pk) == [rows[0]]
    assert found(admin, MESSAGES, q=session.pk) == [other, *rows[::-1]]
    assert found(admin, MESSAGES, q=guest.pk) == [other]
    assert found(admin, MESSAGES, q=host.pk) == rows[::-1]


def test_a_person_who_left_the_table_is_not_forgotten(admin: Client, session: Session, host: User) -> None:
    """The host speaks over REST without a seat."""
    Participant.objects.all().delete()
    row = Message.objects.create(session=session, seq=1, user=host, user_name="Ada", text="one")

    assert found(admin, MESSAGES, q=host.pk) == [row]


@pytest.mark.parametrize(("since", "count"), [("today", 1), ("week", 2), ("month", 3), ("nonsense", 4), (None, 4)])
def test_what_was_made_since_is_told_by_the_ids(admin: Client, session: Session, since: str | None, count: int) -> None:
    for seq, days in enumerate((0.5, 6, 29, 40), 1):
        at = timezone.now() - timedelta(days=days)
        Message.objects.create(id=lists.first_id(at), session=session, seq=seq, text="Hm", timestamp=at)

    assert len(found(admin, MESSAGES, **({"since": since} if since else {}))) == count


def test_a_whole_id_finds_a_question_all_of_a_session_or_all_that_somebody_asked(
    admin: Client, session: Session, host: User
) -> None:
    guest, other = User.objects.create(name="Bo", is_guest=True), Session.objects.create(name="Elsewhere", host=host)
    asked = [
        SpiritTurn.objects.create(
            session=room, number=number, asker=asker, state="failed",
            message=Message.objects.create(session=room, seq=number, user=asker, text="Who?"),
        )
        for room, number, asker in ((session, 1, host), (session, 2, guest), (other, 1, guest))
    ]  # fmt: skip

    assert found(admin, TURNS, q=asked[0].pk) == [asked[0]]
    assert found(admin, TURNS, q=session.pk) == [asked[1], asked[0]]
    assert found(admin, TURNS, q=guest.pk) == [asked[2], asked[1]]
    assert found(admin, TURNS, q=asked[0].message_id) == []


def test_values_to_filter_by_are_those_of_the_latest_rows(admin: Client, say: Callable[[str], Message]) -> None:
    sources = ["ancient", "oracle", "oracle", "model", "cache"]
    for number, source in enumerate(sources):
        row = say(f"Question {number}")
        SpiritTurn.objects.filter(message=row).delete()
        SpiritTurn.objects.create(
            session=row.session, message=row, number=number + 50, state="failed", source=source,
            degraded="timeout" if source in ("ancient", "model") else "", provider=f"of {source}",
        )  # fmt: skip

    page = html.unescape(admin.get(TURNS).content.decode())

    offered = {name: set(re.findall(rf'"\?{name}=([^"&]*)"', page)) for name in ("source", "degraded", "provider")}
    assert offered == {
        "source": {"oracle", "model", "cache"},
        "degraded": {"", "timeout"},
        "provider": {"of+oracle", "of+model", "of+cache"},
    }
    assert len(found(admin, TURNS, source="oracle")) == 2


def test_every_list_of_ours_has_the_bounded_pages(admin: Client) -> None:
    from django.contrib.admin import site

    ours = [one for one in site._registry.values() if type(one).__module__.startswith("sessions_app")]

    assert len(ours) > 10
    assert all(isinstance(one, base.SeanceAdmin) and one.paginator is lists.CappedPaginator for one in ours)
