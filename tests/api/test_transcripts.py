"""Tests of the REST door: transcripts, in four forms, streamed, and safe whatever was said."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app import events
from sessions_app.api.examples import SAMPLES, SESSION
from sessions_app.downloads import file_name
from sessions_app.models import Answer, Message, Session
from sessions_app.transcripts import CHUNK, FORMS
from tests.api.conftest import Caller

NASTY = "<script>alert(1)</script> [x](javascript:y) **b** _i_ `c` # h\n" + (
    "[2026-01-01 00:00:00 UTC] Eve: forged\n> q\n    code"
)


def download(nobody: Caller, path: str, form: str) -> str:
    response = nobody.get(f"{path}/transcript?format={form}").response
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


@pytest.mark.parametrize(
    ("form", "kind"),
    [("txt", "text/plain; charset=utf-8"), ("md", "text/markdown; charset=utf-8"), ("json", "application/json"),
     ("html", "text/html; charset=utf-8")],
)  # fmt: skip
def test_a_transcript_is_a_file(nobody: Caller, session: Session, path: str, form: str, kind: str) -> None:
    response = nobody.get(f"{path}/transcript?format={form}").response

    assert (response.status_code, response["Content-Type"]) == (200, kind)
    assert response["Content-Disposition"] == f'attachment; filename="friday-{str(session.id)[-8:]}.{form}"'
    assert "default-src 'self'" in response["Content-Security-Policy"]


def test_text_is_the_form_where_none_is_asked_for(nobody: Caller, path: str) -> None:
    assert nobody.get(f"{path}/transcript").response["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("form", ["pdf", "", "TXT", "../x"])
def test_an_unknown_form_is_a_validation_error(nobody: Caller, path: str, form: str) -> None:
    answer = nobody.get(f"{path}/transcript?format={form}")

    assert (answer.outcome, list(answer.error["details"])) == ((400, "VALIDATION_ERROR"), ["format"])


@pytest.mark.parametrize(("accept", "status"), [("text/plain", 200), ("text/html,*/*;q=0.8", 200), ("image/png", 406)])
def test_a_transcript_may_be_asked_for_as_what_it_is(nobody: Caller, path: str, accept: str, status: int) -> None:
    assert nobody.get(f"{path}/transcript", Accept=accept).status == status


def test_json_holds_every_message_across_the_chunks(
    nobody: Caller, session: Session, path: str, host: Any, say: Callable[..., Message]
) -> None:
    rows = [
        Message(session=session, seq=seq, text=f"m{seq}", user=host, user_name="Ada") for seq in range(1, 2 * CHUNK + 6)
    ]
    Message.objects.bulk_create(rows)
    Session.objects.filter(pk=session.pk).update(last_seq=len(rows))

    found = json.loads(download(nobody, path, "json"))

    assert [row["seq"] for row in found["messages"]] == [row.seq for row in rows]
    assert found["session"]["id"] == str(session.id)


@pytest.mark.parametrize("form", list(FORMS))
def test_an_empty_session_has_a_transcript(nobody: Caller, path: str, form: str) -> None:
    text = download(nobody, path, form)

    assert "Friday" in text
    assert form != "json" or json.loads(text)["messages"] == []


def test_what_is_deleted_or_off_the_record_is_left_out(nobody: Caller, path: str, say: Callable[..., Message]) -> None:
    say("secret", off_record=True)
    say("first")
    say("gone", deleted_at="2026-01-01T00:00:00Z")
    say("last")

    assert [row["text"] for row in json.loads(download(nobody, path, "json"))["messages"]] == ["first", "last"]


def test_the_spirit_speaks_under_its_own_name(nobody: Caller, path: str, say: Callable[..., Message]) -> None:
    row = say("YES", user=None, user_name=None, is_spirit=True)
    Answer.objects.create(message=row, board_script={}, letter_timings=[90] * 3, word_count=1, source="oracle")

    assert "The spirit: YES" in download(nobody, path, "txt")
    assert json.loads(download(nobody, path, "json"))["messages"][0]["letter_timings"] == [90, 90, 90]


class Tags(HTMLParser):
    """Collects every tag and all the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") or name in ("style", "href", "src") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_nothing_that_is_said_becomes_markup(
    nobody: Caller, session: Session, path: str, say: Callable[..., Message]
) -> None:
    Session.objects.filter(pk=session.pk).update(name="<img src=x onerror=y> \"'&")
    say(NASTY, user_name="<b>Eve</b>\u2028[x] Bob: hi")

    html, markdown, text = (download(nobody, path, form) for form in ("html", "md", "txt"))

    page = Tags()
    page.feed(html)
    assert page.tags <= {"html", "head", "meta", "title", "body", "h1", "p", "dl", "dt", "dd", "time", "br"}
    assert "<script>alert(1)</script>" in page.text
    assert "<script" not in html
    assert "\\<script\\>" in markdown
    assert "\\[x\\]\\(javascript\\:y\\)" in markdown
    assert "\n    [2026-01-01 00:00:00 UTC] Eve: forged\n" in text
    assert len(re.findall(r"^\[", text, flags=re.MULTILINE)) == 1


@settings(max_examples=100, deadline=None)
@given(words=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60), text=st.text(min_size=1))
def test_a_message_is_one_entry_in_every_form(words: str, text: str) -> None:
    import msgspec

    message = msgspec.structs.replace(SAMPLES[events.MessageData], user_name=words, text=text)

    lines = FORMS["txt"].line(message).splitlines()
    html = FORMS["html"].line(message)

    assert all(line.startswith("    ") for line in lines[1:])
    assert re.sub(r"</?(dt|dd|time|br)\b[^<>]*>", "", html).count("<") == 0
    assert all(line.startswith("> ") for line in FORMS["md"].line(message).split("\n")[2:-2])


@given(name=st.text(max_size=100), form=st.sampled_from(list(FORMS)))
def test_a_file_name_is_safe_whatever_the_session_is_called(name: str, form: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,48}\.[a-z]{2,4}", file_name(name, SESSION, form))


def test_an_asynchronous_server_gets_the_file_in_pieces(path: str, say: Callable[..., Message]) -> None:
    say("hello")

    async def fetch() -> list[bytes]:
        response: Any = await AsyncClient().get(f"{path}/transcript?format=json")
        assert response.is_async
        return [part async for part in response]

    parts = async_to_sync(fetch)()

    assert len(parts) == 2
    assert json.loads(b"".join(parts))["messages"][0]["text"] == "hello"
