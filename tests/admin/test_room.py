"""Tests of the admins' room: a session seen from inside, what is done there, and what is taken away as a file."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from sessions_app import exports
from sessions_app.models import AuditEntry, Connection, Event, Message, Participant, Session, SpiritTurn, User
from sessions_app.services.rollup import rollup
from tests.services.helpers import make_process, sit

FORMULAS = ['=HYPERLINK("http://x","y")', "+1+1", "-2+3", "@SUM(A1)", "\tx", " =1", "＝1+1", '=cmd|"/C calc"!A0']


def page(session: Session, *rest: object) -> str:
    return "/".join(["/admin/sessions_app/session", str(session.pk), *map(str, rest or ["change"]), ""])


@pytest.fixture
def bo(session: Session) -> Participant:
    """Somebody who is connected."""
    user = User.objects.create(name="Bo", is_guest=True)
    sit(session, make_process(), user)
    return Participant.objects.get(user=user)


def acts() -> list[tuple[str, Any]]:
    return list(AuditEntry.objects.order_by("id").values_list("act", "target"))


def test_the_page_shows_people_words_turns_and_deeds(
    admin: Client, session: Session, bo: Participant, say: Callable[[str], Message]
) -> None:
    said, gone = say("Is <b>anyone</b> there?"), say("Oops")
    admin.post(page(session, "messages", gone.pk, "take"))
    rollup()

    text = admin.get(page(session)).content.decode()

    assert "Is &lt;b&gt;anyone&lt;/b&gt; there?" in text
    assert "(taken away) Oops" in text
    assert SpiritTurn.objects.filter(message=said).exists()
    assert f"/spiritturn/{SpiritTurn.objects.get(message=said).pk}/change/" in text
    assert "message taken away" in text
    row = text[text.index(">Bo</a>") :].partition("</tr>")[0]
    assert "<td>yes</td>" in row
    assert [f"/people/{bo.pk}/{deed}/" in row for deed in ("kick", "host", "ban")] == [True] * 3


@pytest.mark.parametrize(("deed", "act"), [("kick", "kick"), ("host", "host"), ("ban", "ban")])
def test_what_is_done_to_somebody_is_asked_first_and_then_done_and_written_down(
    admin: Client, admin_user: User, session: Session, bo: Participant, deed: str, act: str
) -> None:
    path = page(session, "people", bo.pk, deed)

    asked = admin.get(path)
    before = acts()
    done = admin.post(path, follow=True)

    assert "Bo" in asked.context["title"]
    assert before == []
    assert acts() == [(act, bo.user_id)]
    assert done.redirect_chain == [(page(session), 302)]
    assert LogEntry.objects.get().user == admin_user
    bo.refresh_from_db()
    session.refresh_from_db()
    assert (bo.kicked_at is not None) == (deed == "kick")
    assert (session.host_id == bo.user_id) == (deed == "host")
    assert bo.user.is_active == (deed != "ban")
    assert Connection.objects.filter(close_code=4503).exists() == (deed != "host")


def test_the_session_is_ended_and_then_deleted_and_both_is_written_down(
    admin: Client, session: Session, say: Callable[[str], Message]
) -> None:
    say("one")
    admin.get(page(session, "end"))
    assert Session.objects.get().is_active
    admin.post(page(session, "end"))
    rollup()

    admin.post(page(session, "delete"), {"post": "yes"})

    assert not Session.objects.exists()
    assert [act for act, _ in acts()] == ["end_session", "delete_session"]
    entry = AuditEntry.objects.order_by("-id")[0]
    assert (entry.session, entry.details) == (session.pk, {"messages": 1})


def test_a_refusal_is_said_and_not_an_error(admin: Client, session: Session, host: User) -> None:
    seat = Participant.objects.get(user=host)

    answer = admin.post(page(session, "people", seat.pk, "kick"), follow=True)

    assert "Nobody does that to the host" in answer.content.decode()
    assert acts() == []


def test_what_is_not_there_is_not_found(admin: Client, session: Session, bo: Participant) -> None:
    other = Session.objects.create(name="Other")

    for path in (
        page(session, "people", bo.pk, "crown"), page(other, "people", bo.pk, "kick"), page(session, "export", "pdf"),
    ):  # fmt: skip
        assert admin.post(path).status_code == 404


def test_the_page_costs_as_many_queries_however_much_is_on_it(
    admin: Client, session: Session, say: Callable[[str], Message]
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(page(session)).status_code == 200
        return len(queries)

    say("one")
    count()  # what a process looks up once
    few = count()
    for number in range(30):
        say(f"Question {number}?")
        guest = User.objects.create(name=f"G{number}", is_guest=True)
        Participant.objects.create(session=session, user=guest, name=guest.name)
    AuditEntry.objects.create(session=session.pk, act="kick", actor=session.host_id, at=timezone.now())

    assert count() == few <= 20


# --- Exports ----------------------------------------------------------------------------------------------------------


def exported(admin: Client, session: Session, form: str) -> str:
    response: Any = admin.get(page(session, "export", form))
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


def hoard(session: Session, texts: list[str], **fields: Any) -> None:
    begin = timezone.now() - timedelta(days=1)
    rows = [
        Message(session=session, seq=seq, text=text, timestamp=begin, **{"user_name": text[:50], **fields})
        for seq, text in enumerate(texts, 1)
    ]
    Message.objects.bulk_create(rows)
    session.last_seq = len(rows)
    session.save()


def test_formulas_are_text_in_a_spreadsheet(admin: Client, session: Session) -> None:
    texts = [*FORMULAS, 'plain, with a "quote"\nand a line', "3 - 2", "a=b"]
    hoard(session, texts)

    text = exported(admin, session, "csv")

    assert text.startswith("\ufeffseq,timestamp,")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert [row["text"] for row in rows] == [*(f"'{one}" for one in FORMULAS), *texts[len(FORMULAS) :]]
    assert [row["user_name"] for row in rows] == [
        row["text"][:51] if n < 8 else texts[n][:50] for n, row in enumerate(rows)
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@given(texts=st.lists(st.text("=+-@＝;,\t\n\r\"' ax", max_size=12), min_size=2, max_size=4))
def test_no_cell_begins_a_formula_whatever_parts_the_cells(separator: str, texts: list[str]) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerow(["1", *(exports.cell(text) for text in texts)])

    cells = [one for row in csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=separator) for one in row]

    assert [one for one in cells if one.strip(' \t\r\n"')[:1] in ("=", "+", "-", "@", "＝")] == []
    for text in texts:
        assert exports.cell(text).replace("'", "") == text.replace("'", "")


def test_json_has_everything_the_deleted_and_the_off_record_too(
    admin: Client, session: Session, bo: Participant, say: Callable[[str], Message]
) -> None:
    hoard(session, ["one", "two"], off_record=True, deleted_at=timezone.now())

    found = json.loads(exported(admin, session, "json"))

    assert found["session"]["id"] == str(session.pk)
    assert {one["name"] for one in found["people"]} == {"Ada", "Bo"}
    assert [(one["seq"], one["text"], one["off_record"]) for one in found["messages"]] == [
        (1, "one", True), (2, "two", True),
    ]  # fmt: skip
    assert found["messages"][0]["deleted_at"] is not None
    assert [act for act, _ in acts()] == ["export_session"]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_long_session_goes_out_in_pieces_of_bounded_size(admin: Client, session: Session, form: str) -> None:
    hoard(session, ["x" * 100] * (3 * exports.CHUNK + 7))
    client = AsyncClient()
    client.cookies = admin.cookies

    async def fetch() -> list[bytes]:
        response: Any = await client.get(page(session, "export", form))
        assert response.is_async
        return [part async for part in response]

    parts = async_to_sync(fetch)()

    assert len(parts) >= 5
    assert max(map(len, parts)) < exports.CHUNK * 600
    whole = b"".join(parts).decode()
    assert whole.count("x" * 100) == 3 * exports.CHUNK + 7
    assert form == "csv" or len(json.loads(whole)["messages"]) == 3 * exports.CHUNK + 7


@pytest.mark.parametrize("form", list(exports.FORMS))
def test_a_session_ten_times_as_long_takes_no_more_memory(
    session: Session, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "CHUNK", 50)

    def peak() -> int:
        tracemalloc.start()
        try:
            assert sum(map(len, exports.FORMS[form].pieces(session))) > 0
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # Long enough that the few circles Django leaves with each query, 3 KB of them, are little beside a piece.
    hoard(session, ["\N{CANDLE}" * 500] * exports.CHUNK * 2)
    peak()  # what is made once
    few = peak()
    Message.objects.all().delete()
    hoard(session, ["\N{CANDLE}" * 500] * exports.CHUNK * 20)

    assert peak() < few * 1.5


def test_an_empty_session_can_be_exported(admin: Client, session: Session) -> None:
    assert json.loads(exported(admin, session, "json"))["messages"] == []
    assert exported(admin, session, "csv").count("\n") == 1


def test_what_was_done_was_told_to_the_room(admin: Client, session: Session, bo: Participant) -> None:
    admin.post(page(session, "people", bo.pk, "host"))

    assert [event.type for event in Event.objects.all()] == ["session_updated"]
