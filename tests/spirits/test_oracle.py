"""Room: tests/spirits. The oracle in company: what it keeps to, what it remembers, how it is repeated."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sessions_app.spirits.base import Line, SpiritRequest
from sessions_app.spirits.exam import hold_session, run_exam
from sessions_app.spirits.layouts import get_layout
from sessions_app.spirits.lettering import letter
from sessions_app.spirits.oracle.biography import life
from sessions_app.spirits.oracle.reply import Reply, answer
from sessions_app.spirits.personas import bundled, load_persona
from sessions_app.spirits.providers.oracle import OracleProvider

from .helpers import ask, collect, voice_of


def said(*lines: tuple[str | None, str]) -> list[Line]:
    return [Line(at, name, text, name is None) for at, (name, text) in enumerate(lines, start=1)]


def evening(*questions: str, seed: int = 7) -> list[Reply]:
    return [reply for _, _, reply, _ in hold_session(seed, list(questions), load_persona())]


def test_the_same_request_gives_the_same_answer() -> None:
    request = ask("Should I sell the boat?", history=said(("Ben", "Where is my ring?"), (None, "Under paper.")))

    assert answer(request) == answer(request)


def test_another_attempt_may_say_it_otherwise() -> None:
    answers = {answer(ask("Why does the sea sing?", attempt=attempt)).voice for attempt in range(1, 9)}

    assert len(answers) > 3


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(min_size=1, max_size=20), st.integers(0, 2**62))
def test_any_line_at_all_gets_an_answer_within_the_limits(question: str, asker: str, seed: int) -> None:
    reply = answer(ask(question, asker=asker, people=[asker], seed=seed))

    assert 0 < len(reply.voice.split()) <= 30
    assert letter(reply.board, get_layout("classic-en@1")).glyph_count <= 24


def test_a_question_asked_again_gets_the_same_verdict() -> None:
    for seed in range(12):
        first, _, again = evening("Will I find love?", "Tell us a joke", "will I ever find love", seed=seed)
        if first.voice.startswith(("Yes", "No")):
            assert again.voice.split()[-1]
            assert ("yes" in again.voice.lower()) == first.voice.startswith("Yes")
        assert again.recalled


def test_everybody_hears_the_same_name_and_in_three_steps() -> None:
    name = life(7, load_persona())["name"]["full"]

    first, second, third = evening("What is your name?", "tell us your name", "Do you have a name?")

    assert name not in first.voice + second.voice
    assert name in third.voice


def test_a_guess_at_the_life_is_answered_truly() -> None:
    facts = life(7, load_persona())
    right = facts["name"]["full"]

    assert answer(ask(f"Is your name {right}?")).board == "YES"
    assert answer(ask("Is your name Zebedee?")).board == "NO"


def test_two_sessions_tell_two_lives() -> None:
    lives = {tuple(fact["mark"] for fact in life(seed, load_persona()).values()) for seed in range(20)}

    assert len(lives) > 15


def test_a_persona_with_a_past_of_its_own_keeps_to_it() -> None:
    posy = load_persona("aunt-posy")

    assert {life(seed, posy)["name"]["full"] for seed in range(9)} == {"Posy"}
    assert answer(ask("Were you a woman?", persona=posy, seed=4)).board == "YES"


@pytest.mark.parametrize("pair", bundled())
def test_every_bundled_persona_passes_the_oracles_exam(pair: tuple[str, str]) -> None:
    persona = load_persona(*pair)

    report = run_exam(pair[1], pair[0], sessions=1)

    assert report.faults == ()
    assert persona.greetings
    assert persona.examples


def test_a_new_version_of_a_persona_tells_the_same_life() -> None:
    persona = load_persona()

    assert life(7, persona) == life(7, replace(persona, version=9))


def test_the_spirit_remembers_what_ben_asked() -> None:
    history = said(("Ben", "Where is the silver key?"), (None, "Low down."), ("Ana", "Why?"), (None, "Because."))

    reply = answer(ask("Do you remember what Ben asked?", history=history))

    assert "key" in reply.voice
    assert reply.recalled


def test_either_or_is_answered_with_one_of_the_two_always_the_same() -> None:
    one = answer(ask("Should I stay or go?", turn=1))
    other = answer(ask("should i go or stay", turn=5))

    assert one.board == other.board
    assert one.board in ("STAY", "GO")


def test_who_here_is_answered_with_somebody_who_is_here() -> None:
    people = ["Ana", "Ben", "Cleo"]
    replies = [answer(ask("Who among us has a secret?", people=people, turn=turn)) for turn in range(12)]

    assert all(reply.board in ("ANA", "BEN", "CLEO", "THE QUIET ONE") for reply in replies)


def test_the_sitters_words_are_turned_round() -> None:
    voices = [answer(ask("Should I sell my boat?", turn=turn)).voice.lower() for turn in range(20)]

    assert any("sell your boat" in voice for voice in voices)
    assert not any("my boat" in voice for voice in voices)


@pytest.mark.parametrize(
    ("question", "group"),
    [("When will I die?", "refuse"), ("Should I stop taking my pills?", "refuse"), ("Are you my mother?", "refuse")],
)
def test_what_must_be_declined_is_declined(question: str, group: str) -> None:
    assert answer(ask(question)).group == group


def test_asked_sincerely_it_does_not_deny_being_a_machine() -> None:
    voices = {answer(ask("Are you an AI?", turn=turn)).voice for turn in range(12)}

    assert all(any(word in voice for word in ("machine", "rules", "Made")) for voice in voices)


def test_a_broken_grammar_does_not_silence_the_room() -> None:
    persona = replace(load_persona(), grammar={"yesno.yes": ("#yesno.yes#",), "greet": ("#nowhere#",)})

    assert voice_of(collect(OracleProvider().stream(ask("Is this house old?", persona=persona))))
    assert voice_of(collect(OracleProvider().stream(ask("hello", persona=persona))))


def test_a_long_log_is_no_longer_to_answer_from() -> None:
    history = [Line(n, "Ben", f"I saw the lantern number {n}", False) for n in range(1, 5001)]

    request: SpiritRequest = ask("Where is the lantern?", history=history)

    assert answer(request).voice
