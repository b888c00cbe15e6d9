"""Tests of sessions_app: what a name and a text may be."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sessions_app.errors import Code, SeanceError
from sessions_app.text import clean_client_msg_id, clean_message, clean_name

pytestmark = pytest.mark.once

ANY_TEXT = st.text(st.characters(), max_size=600) | st.text(
    st.sampled_from("ae\u0301\u0308 \t\n\r\x00\x1b\x7f\x85\u200b\u200d\u202e\u2066\u2800\ufeff\ufffe\ud800\U0001f47b"),
    max_size=40,
)
CONTROLS = [chr(number) for number in (*range(32), *range(127, 160)) if chr(number) != "\n"]


def cleaned(text: str) -> str | Code:
    """The text as it is stored, or the code of the refusal."""
    try:
        return clean_message(text)
    except SeanceError as error:
        return error.code


@given(ANY_TEXT)
@example("a" * 500)
@example("\r\n".join("ab"))
def test_any_text_is_stored_clean_or_refused_by_a_code(text: str) -> None:
    result = cleaned(text)

    if isinstance(result, Code):
        assert result in (Code.EMPTY_MESSAGE, Code.MESSAGE_TOO_LONG, Code.VALIDATION_ERROR)
        return
    assert 1 <= len(result) <= 500
    assert result == result.strip() == unicodedata.normalize("NFC", result)
    assert not any(unicodedata.category(character) in ("Cc", "Cs") and character != "\n" for character in result)
    assert result.encode()
    assert clean_message(result) == result


@given(ANY_TEXT)
def test_any_name_is_stored_clean_or_is_a_validation_error(name: str) -> None:
    refusal: tuple[Code, set[str]] | None = None
    result = ""
    try:
        result = clean_name(name, limit=50)
    except SeanceError as error:
        refusal = (error.code, set(error.details))

    if refusal is not None:
        assert refusal == (Code.VALIDATION_ERROR, {"name"})
        return
    assert 1 <= len(result) <= 50
    assert result == unicodedata.normalize("NFC", result).strip()
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in result)
    assert clean_name(result, limit=50) == result


@pytest.mark.parametrize("control", CONTROLS, ids=[f"U+{ord(control):04X}" for control in CONTROLS])
def test_a_control_character_is_refused(control: str) -> None:
    assert cleaned(f"boo{control}hoo") == Code.VALIDATION_ERROR
    with pytest.raises(SeanceError):
        clean_name(f"boo{control}hoo", limit=50)


@pytest.mark.parametrize("character", ["\ud800", "\ufffe", "\uffff", "\ufdd0", "\U0001fffe", "\U0010ffff"])
def test_what_is_no_character_is_refused(character: str) -> None:
    assert cleaned(f"boo{character}") == Code.VALIDATION_ERROR
    with pytest.raises(SeanceError):
        clean_name(f"boo{character}", limit=50)


def test_a_newline_stays_in_a_text_and_is_refused_in_a_name() -> None:
    assert clean_message("one\ntwo\r\nthree") == "one\ntwo\nthree"
    with pytest.raises(SeanceError):
        clean_name("one\ntwo", limit=50)


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\n", "\t", "\u200b", "\u200d\u2060", "\u3164", "\u2800", "\u00ad", "\u00a0", "\ufe0f", "\u202e"],
)
def test_what_shows_nothing_is_empty(text: str) -> None:
    assert cleaned(text) == Code.EMPTY_MESSAGE


@pytest.mark.parametrize("text", ["?", "é", "\U0001f47b", "👩‍👩‍👧", "\u0627\u0644", "a\u200bb", "·"])
def test_what_shows_something_is_kept(text: str) -> None:
    assert cleaned(text) == text


def test_letters_are_composed_before_they_are_counted() -> None:
    assert clean_message("e\u0301" * 500) == "é" * 500
    assert cleaned("é" * 501) == Code.MESSAGE_TOO_LONG
    assert cleaned(" " * 300 + "a" * 500 + " " * 300) == "a" * 500


def test_a_text_too_long_says_by_how_much() -> None:
    with pytest.raises(SeanceError) as caught:
        clean_message("x" * 501)

    assert caught.value.details == {"limit": 500, "length": 501}


@pytest.mark.parametrize("control", "\u061c\u200e\u200f\u202a\u202e\u2066\u2069")
def test_a_name_cannot_turn_the_direction_of_reading(control: str) -> None:
    with pytest.raises(SeanceError) as caught:
        clean_name(f"ada{control}", limit=50)

    assert caught.value.code == Code.VALIDATION_ERROR


@pytest.mark.parametrize("value", ["a", "x" * 64, "0192-ab_cd:ef.1", " "])
def test_a_client_s_own_id_is_kept_as_it_is(value: str) -> None:
    assert clean_client_msg_id(value) == value


@pytest.mark.parametrize("value", ["", "x" * 65, "a\x00", "a\nb", "é", "\ud800"])
def test_a_client_s_own_id_is_printable_ascii(value: str) -> None:
    with pytest.raises(SeanceError) as caught:
        clean_client_msg_id(value)

    assert set(caught.value.details) == {"client_msg_id"}
