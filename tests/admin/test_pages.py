"""Tests of the admin's pages: few queries, nothing executable, nothing secret."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib import admin as django_admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from sessions_app.models import Answer, Event, Message, Participant, RefreshToken, Session, SpiritTurn, User
from sessions_app.services.accounts import issue_tokens
from sessions_app.services.rollup import rollup
from sessions_app.services.sessions import end_session
from sessions_app.spirits.board import board_script

LISTS = ["session", "message", "participant", "user", "event", "spiritturn"]


def list_page(name: str) -> str:
    return f"/admin/sessions_app/{name}/"


def first_pages() -> list[str]:
    """The page of one row of each kind, and every form."""
    rows = [
        (model, model.objects.order_by("pk").first()) for model in (Session, Message, Participant, User, SpiritTurn)
    ]
    pages = [f"/admin/sessions_app/{model._meta.model_name}/{row.pk}/change/" for model, row in rows if row]
    event = Event.objects.first()
    return [*pages, *([f"/admin/sessions_app/event/{event.pk}/change/"] if event else [])]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_few_queries_however_many_rows(
    admin: Client, crowd: list[Session], admin_user: User, name: str,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:  # fmt: skip
    for room in crowd[:5]:
        end_session(actor=admin_user, session_id=room.id)

    with django_assert_max_num_queries(8):
        response = admin.get(list_page(name))

    assert response.status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_for_one_row_and_for_thirty(
    admin: Client, say: Callable[[str], Message], request: pytest.FixtureRequest, name: str
) -> None:
    say("Is anyone there?")

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            admin.get(list_page(name))
        return len(queries)

    few = count()
    request.getfixturevalue("crowd")

    assert count() == few


def test_every_page_is_shown_and_nothing_on_it_is_executable(
    admin: Client, crowd: list[Session], admin_user: User
) -> None:
    end_session(actor=admin_user, session_id=crowd[0].id)
    forms = ["/admin/", "/admin/sessions_app/user/add/", f"/admin/sessions_app/user/{admin_user.pk}/password/"]

    for page in [*map(list_page, LISTS), *first_pages(), *forms, "/admin/admin/logentry/"]:
        response = admin.get(page)
        text = response.content.decode()

        assert response.status_code == 200, page
        assert "<script>" not in text, page
        assert "<img src=x" not in text, page
        assert not re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text), page
        assert not re.findall(r"<style|\sstyle=|\son[a-z]+=\"|href=\"javascript:", text), page
        assert "'unsafe-inline'" not in response["Content-Security-Policy"]


def test_hostile_names_and_texts_are_shown_as_what_they_are(admin: Client, crowd: list[Session]) -> None:
    sessions = admin.get(list_page("session")).content.decode()
    messages = admin.get(list_page("message")).content.decode()

    assert sessions.count("&lt;script&gt;alert(") >= 30
    assert messages.count("&lt;script&gt;alert(") >= 30


def test_a_list_is_cut_into_pages_of_fifty(admin: Client) -> None:
    Session.objects.bulk_create([Session(name=f"No {number}") for number in range(51)])

    response = admin.get(list_page("session"))

    assert len(response.context["cl"].result_list) == 50
    assert response.context["cl"].paginator.num_pages == 2


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_searched_by_words_ids_and_nonsense(
    admin: Client, crowd: list[Session], admin_user: User, name: str
) -> None:
    end_session(actor=admin_user, session_id=crowd[0].id)

    for words in ("script", "%", "x\x00y", str(crowd[0].id), "00000000-0000-0000-0000-000000000000"):
        assert admin.get(list_page(name), {"q": words}).status_code == 200


def test_a_session_is_found_by_its_id_and_its_messages_with_it(admin: Client, crowd: list[Session]) -> None:
    wanted = crowd[7]

    sessions = admin.get(list_page("session"), {"q": str(wanted.id)})
    messages = admin.get(list_page("message"), {"q": str(wanted.id)})

    assert list(sessions.context["cl"].result_list) == [wanted]
    assert [row.session_id for row in messages.context["cl"].result_list] == [wanted.id]


def test_the_counts_of_a_session_are_right(admin: Client, session: Session, say: Callable[[str], Message]) -> None:
    for text in ("one", "two", "three"):
        say(text)
    Participant.objects.create(
        session=session, user=User.objects.create(name="Bo", is_guest=True), name="Bo", role="observer"
    )

    before = admin.get(list_page("session")).content.decode()
    rollup()
    after = admin.get(list_page("session")).content.decode()

    assert re.search(r'field-people"><a [^>]*>1/6<', after)
    assert [re.search(r'field-said"><a [^>]*>(.+?)<', page)[1] for page in (before, after)] == ["–", "3"]  # type: ignore[index]


def test_a_spirits_answer_is_shown_with_its_board_line(
    admin: Client, session: Session, say: Callable[[str], Message]
) -> None:
    question = say("Are you there?")
    row = Message.objects.create(session=session, seq=2, text="I never left.", is_spirit=True, in_reply_to=question)
    Answer.objects.create(
        message=row, board_script=board_script("YES").as_dict(), letter_timings=[], word_count=3, source="oracle"
    )

    listed = admin.get(list_page("message")).content.decode()
    shown = admin.get(f"/admin/sessions_app/message/{row.pk}/change/").content.decode()

    assert re.search(r"field-board_line[^>]*>YES<", listed)
    assert "I never left." in shown
    assert "oracle" in shown


def test_refresh_tokens_and_hashes_are_nowhere(admin: Client, admin_user: User) -> None:
    account = User.objects.create_user("ana@example.org", "correct horse battery", name="Ana")
    tokens = issue_tokens(account)

    pages = [
        admin.get(page).content.decode()
        for page in ("/admin/", list_page("user"), f"/admin/sessions_app/user/{account.pk}/change/")
    ]

    assert RefreshToken not in django_admin.site._registry
    for text in pages:
        assert tokens.refresh not in text
        assert "argon2" not in text
        assert account.password not in text
        assert "refresh" not in text.lower()


def test_the_site_says_what_it_is(admin: Client) -> None:
    assert "Séance" in admin.get("/admin/").content.decode()


@pytest.mark.parametrize("name", LISTS)
def test_only_staff_come_in(client: Client, host: User, name: str) -> None:
    client.force_login(host)

    response = client.get(list_page(name))

    assert response.status_code == 302
    assert "/admin/login/" in response["Location"]
