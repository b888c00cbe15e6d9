"""Room: tests/spirits. The board script: every invariant of the schema, by example and by property."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions_app.spirits.board import (
    MAX_DURATION_MS,
    PACES,
    SCHEMA,
    BoardScript,
    Pace,
    board_script,
    letter_timings,
    move_batches,
    spelt,
)
from sessions_app.spirits.layouts import UnknownLayout, get_layout, layout_ids

LAYOUT = get_layout("classic-en@1")
texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from("yes no goodbye the river, water. bell ANNA 42 ! &".split(" ")), max_size=40).map(
        " ".join
    ),
)
paces = st.sampled_from(sorted(PACES))
quick = settings(max_examples=50, deadline=None)


def letters(text: str) -> str:
    return "".join(char for char in text if char not in " ,.")


@quick
@given(texts, paces, st.sampled_from(layout_ids()))
def test_every_glyph_is_in_the_layout_at_its_place(text: str, pace: Pace, layout_id: str) -> None:
    layout = get_layout(layout_id)

    script = board_script(text, pace=pace, layout=layout_id)

    for move in script.moves:
        if move.glyph is None:
            assert move.kind in ("pause", "rest")
        else:
            place = layout.words.get(move.glyph) or layout.glyphs[move.glyph]
            assert (place.x, place.y) == (move.x, move.y)


@quick
@given(texts, st.sampled_from(layout_ids()))
def test_the_glyphs_spell_the_text(text: str, layout_id: str) -> None:
    script = board_script(text, layout=layout_id)

    assert spelt(script) == letters(script.text)


@quick
@given(texts, paces)
def test_time_grows_without_gaps_and_sums_to_the_duration(text: str, pace: Pace) -> None:
    script = board_script(text, pace=pace)

    now = 0
    for at, move in enumerate(script.moves):
        assert (move.i, move.t_ms) == (at, now)
        now += move.travel_ms + move.dwell_ms
    assert now == script.duration_ms <= MAX_DURATION_MS


@quick
@given(texts, paces)
def test_travel_follows_the_formula(text: str, pace: Pace) -> None:
    script = board_script(text, pace=pace)

    x, y = LAYOUT.rest.x, LAYOUT.rest.y
    for move in script.moves:
        expected = 0 if move.kind == "pause" else (180 + 0.42 * math.hypot(move.x - x, move.y - y)) * PACES[pace]
        assert abs(move.travel_ms - expected) <= 0.5
        x, y = move.x, move.y


@quick
@given(texts, st.integers(0, 2**63))
def test_the_same_input_gives_the_same_bytes(text: str, seed: int) -> None:
    first, second = (msgspec.json.encode(board_script(text, seed=seed)) for _ in range(2))

    assert first == second


@quick
@given(texts)
def test_every_source_slice_is_inside_the_source_and_in_order(text: str) -> None:
    script = board_script(text)

    starts = [move.src[0] for move in script.moves]
    assert starts == sorted(starts)
    assert all(0 <= move.src[0] <= move.src[1] <= len(text) for move in script.moves)


@quick
@given(texts)
def test_a_script_survives_json_and_is_made_of_integers(text: str) -> None:
    script = board_script(text)

    again = msgspec.json.decode(msgspec.json.encode(script.as_dict()), type=BoardScript)

    assert again == script
    assert script.as_dict()["schema"] == SCHEMA


@quick
@given(texts, paces)
def test_batches_come_at_most_four_a_second_and_never_late(text: str, pace: Pace) -> None:
    script = board_script(text, pace=pace)

    batches = move_batches(script)

    assert tuple(move for batch in batches for move in batch.moves) == script.moves
    assert all(batch.due_ms <= batch.moves[0].t_ms for batch in batches)
    due = [batch.due_ms for batch in batches]
    assert all(later - earlier >= 250 for earlier, later in zip(due, due[1:], strict=False))


@quick
@given(st.text(max_size=120), st.integers(0, 2**63))
def test_there_is_one_letter_timing_for_each_character(text: str, seed: int) -> None:
    timings = letter_timings(text, seed)

    assert len(timings) == len(text)
    assert all(50 <= ms <= 500 for ms in timings)
    assert timings == letter_timings(text, seed)


def test_a_doubled_letter_is_a_nudge() -> None:
    script = board_script("ANNA")

    assert [move.kind for move in script.moves] == ["glyph", "glyph", "nudge", "glyph", "rest"]
    assert script.moves[2].travel_ms == 180


def test_a_letter_dwells_for_300_ms_give_or_take_a_tenth() -> None:
    dwells = {move.dwell_ms for seed in range(40) for move in board_script("LAMP", seed=seed).moves[:4]}

    assert min(dwells) >= 270
    assert max(dwells) <= 330
    assert len(dwells) > 20


def test_yes_is_a_shortcut_only_as_the_first_word_of_a_sentence() -> None:
    script = board_script("Yes. Oh yes. No yes")

    assert [move.glyph for move in script.moves if move.kind == "word"] == ["YES", "NO"]
    assert script.text == "YES. OH YES. NO YES"


def test_a_word_dwells_for_900_ms_and_pauses_have_their_lengths() -> None:
    script = board_script("Yes. A b, c")

    assert script.moves[0].dwell_ms == 900
    assert [move.dwell_ms for move in script.moves if move.kind == "pause"] == [700, 300, 350]


def test_goodbye_ends_the_script_wherever_it_stands() -> None:
    script = board_script("And now goodbye my friends")

    assert script.text == "AND NOW GOODBYE"
    assert script.moves[-1].glyph == "GOODBYE"
    assert script.dropped == ("my friends",)
    assert script.lossy is True


def test_instant_has_no_durations() -> None:
    script = board_script("The river", pace="instant")

    assert script.duration_ms == 0
    assert {(m.t_ms, m.travel_ms, m.dwell_ms) for m in script.moves} == {(0, 0, 0)}
    assert len(move_batches(script)) == 1


def test_brisk_takes_six_tenths_of_ritual() -> None:
    ritual, brisk = board_script("The river"), board_script("The river", pace="brisk")

    assert brisk.duration_ms == pytest.approx(ritual.duration_ms * 0.6, abs=len(ritual.moves))


def test_a_long_text_is_hurried_before_it_is_cut() -> None:
    fits_hurried = "A WATCHER WALKS THE OUTER WALLS BY DAY"

    script = board_script(fits_hurried)

    assert script.text == fits_hurried
    assert script.duration_ms <= MAX_DURATION_MS
    assert 120 <= min(move.dwell_ms for move in script.moves if move.kind == "glyph") < 270


def test_a_text_too_long_for_twenty_seconds_is_cut_at_a_word() -> None:
    source = "seven lanterns hang above the quiet water and nobody remembers who was meant to light them"

    script = board_script(source)

    assert source.upper().startswith(script.text + " ")
    assert (script.lossy, script.text.lower() + " " + script.dropped[-1]) == (True, source)


def test_one_endless_word_is_cut_too() -> None:
    script = board_script("A" * 500)

    assert 0 < len(script.text) < 120
    assert script.duration_ms <= MAX_DURATION_MS


def test_symbols_are_spoken_emoji_dropped_and_accents_spelt_plainly() -> None:
    script = board_script("Café & 5€ 🕯️")

    assert script.text == "CAFE AND 5 EURO"
    assert script.lossy is True
    assert script.dropped[0] == "🕯"


def test_plain_english_is_not_lossy() -> None:
    script = board_script("Don't fear the well, Ben.")

    assert (script.text, script.lossy, script.dropped) == ("DONT FEAR THE WELL, BEN", False, ())


def test_other_alphabets_are_transliterated() -> None:
    assert board_script("Привет").text == "PRIVET"


def test_the_spanish_board_knows_si_from_sí_and_has_its_own_letter() -> None:
    script = board_script("Sí. Si mañana", layout="classic-es@1")

    assert script.text == "SÍ. SI MAÑANA"
    assert [move.glyph for move in script.moves if move.kind == "word"] == ["SÍ"]


@pytest.mark.parametrize("empty", ["", "   ", "🕯️", "...", "\u200b"])
def test_nothing_to_spell_gives_no_moves(empty: str) -> None:
    script = board_script(empty)

    assert (script.moves, script.duration_ms, script.text) == ((), 0, "")
    assert move_batches(script) == []


def test_the_classic_layout_has_the_agreed_places() -> None:
    points = {name: (p.x, p.y) for name, p in LAYOUT.glyphs.items()}

    assert (LAYOUT.width, LAYOUT.height, LAYOUT.rest.x, LAYOUT.rest.y) == (1600, 1000, 800, 640)
    assert {name: (w.x, w.y) for name, w in LAYOUT.words.items()} == {
        "YES": (210, 130),
        "NO": (1390, 130),
        "GOODBYE": (800, 900),
    }
    assert (points["A"], points["M"], points["N"], points["Z"]) == ((160, 450), (1440, 450), (180, 630), (1420, 630))
    assert (points["1"], points["9"], points["0"]) == ((395, 740), (1115, 740), (1205, 740))
    assert set(points) == set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


@pytest.mark.parametrize("layout_id", ["classic-en", "../secrets", "classic-en@1.json", ""])
def test_an_unknown_layout_is_refused(layout_id: str) -> None:
    with pytest.raises(UnknownLayout):
        get_layout(layout_id)
