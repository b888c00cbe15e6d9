"""Room: tests/spirits. Cleaning, cutting and formatting of what a spirit says."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sessions_app.spirits.layouts import get_layout
from sessions_app.spirits.lettering import letter
from sessions_app.spirits.speech import board_line, clean, count_words, fit_words, format_response, sentences

quick = settings(max_examples=50, deadline=None)


@quick
@given(st.text(max_size=900))
def test_a_response_is_within_its_limits_whatever_came_in(text: str) -> None:
    response = format_response(text)

    assert response.word_count == count_words(response.text) <= 30
    assert len(response.letter_timings) == len(response.text) <= 500
    assert response.board_script.duration_ms <= 20_000


@quick
@given(st.text(max_size=200), st.integers(1, 24))
@example("¼", 1)
@example("a ¼", 2)
def test_a_board_line_never_has_more_glyphs_than_allowed(text: str, limit: int) -> None:
    line = board_line(text, limit=limit)

    assert letter(line, get_layout("classic-en@1")).glyph_count <= limit


def test_a_long_answer_ends_with_a_whole_sentence() -> None:
    text = "The key is under the bell. " + "It waits and waits " * 10

    assert fit_words(text) == "The key is under the bell."


def test_a_first_sentence_that_is_too_long_is_cut_at_a_word() -> None:
    cut = fit_words("one two three four five", 3)

    assert cut == "one two three…"


def test_a_board_line_breaks_off_at_a_pause() -> None:
    assert board_line("Under the stair, where the dust remembers your feet") == "Under the stair"


def test_markup_and_invisible_characters_are_taken_out() -> None:
    assert clean("**Yes**,\n<b>child</b>\u202e\u0007  [here](http://x.example)") == "Yes, child here"


def test_an_emphasis_sign_alone_is_left() -> None:
    assert clean("2 * 3") == "2 * 3"


def test_sentences_keep_their_marks() -> None:
    assert sentences("Yes. The tide… knows! Why?") == ["Yes.", "The tide…", "knows!", "Why?"]


def test_the_board_may_say_less_than_the_voice() -> None:
    response = format_response("Yes. The water remembers what you dropped.", board="YES", seed=4)

    assert (response.board_text, response.word_count) == ("YES", 7)
    assert response.text == "Yes. The water remembers what you dropped."


@pytest.mark.parametrize("text", ["", " \n "])
def test_an_empty_answer_is_an_empty_script(text: str) -> None:
    response = format_response(text)

    assert (response.text, response.word_count, response.board_script.moves) == ("", 0, ())
