"""Tests of sessions_app: names that read the same, and how a room marks them."""

from __future__ import annotations

from uuid import UUID

import pytest

from sessions_app.lookalikes import first_alike
from sessions_app.models import Participant
from tests.services.helpers import hang_up, make_guest, make_session, sit


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada", "Ada"), ("Ada", "ada"), ("Ada", "\u0410d\u0430"), ("Ada", "A\u200bda"), ("Ada", "A da"),
        ("paypal", "PayPaI"), ("O0", "00"), ("modern", "rnodern"), ("Zo\u00eb", "Zoe\u0308"), ("scope", "\u0455cope"),
        ("Ada", "\U0001d400da"),
    ],
)  # fmt: skip
def test_these_read_the_same(one: str, other: str) -> None:
    assert first_alike(one, ["Grace", other]) == 1


@pytest.mark.parametrize(("one", "other"), [("Ada", "Adam"), ("Zoë", "Zoe"), ("Bob", "Rob"), ("李", "王"), ("1", "2")])
def test_these_do_not(one: str, other: str) -> None:
    assert first_alike(one, [other]) is None


@pytest.mark.django_db
class TestInARoom:
    def test_who_comes_later_is_marked_with_who_was_there(self, process_id: UUID) -> None:
        room = make_session()
        first = sit(room, process_id, make_guest("Ada")).participant

        second = sit(room, process_id, make_guest("\u0410da"))
        third = sit(room, process_id, make_guest("Grace"))

        assert first.looks_like is None
        assert (second.participant.looks_like, second.joined.looks_like) == (first.id, first.id)
        assert [one.looks_like for one in third.participants] == [None, first.id, None]

    def test_who_left_is_nobody_s_double_and_a_new_name_is_looked_at(self, process_id: UUID) -> None:
        room, ada, eve = make_session(), make_guest("Ada"), make_guest("ada")
        sit(room, process_id, ada)
        sit(room, process_id, eve)
        hang_up(room, ada)
        hang_up(room, eve)

        assert sit(room, process_id, eve, name="Ada ").participant.looks_like is None

        back = sit(room, process_id, ada).participant
        assert back.looks_like == Participant.objects.get(user=eve).id

    def test_a_second_window_takes_no_other_name(self, process_id: UUID) -> None:
        room, eve = make_session(), make_guest("Eve")
        first = sit(room, process_id, make_guest("Ada")).participant
        sit(room, process_id, eve)

        again = sit(room, process_id, eve, name="\u0410da").participant

        assert (again.name, again.looks_like) == ("Eve", None)
        assert [one.looks_like for one in sit(room, process_id).participants if one.id != first.id] == [None, None]

    def test_those_who_gave_no_name_are_not_marked(self, process_id: UUID) -> None:
        room = make_session()

        found = [sit(room, process_id).participant for _ in range(3)]

        assert [(one.name, one.looks_like) for one in found] == [("Anonymous", None)] * 3
