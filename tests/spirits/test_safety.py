"""Room: tests/spirits. Safety: whom it protects, and whom it leaves in peace."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sessions_app.spirits.exam import corpus
from sessions_app.spirits.oracle.pack import load_pack, pack_locales
from sessions_app.spirits.personas import bundled, load_persona
from sessions_app.spirits.safety import crisis_notice, is_crisis, output_problem, rules


@pytest.mark.parametrize("text", rules().crisis.must)
def test_a_first_person_crisis_is_noticed(text: str) -> None:
    assert is_crisis(text)


@pytest.mark.parametrize("text", rules().crisis.must_not)
def test_talk_of_death_is_left_in_peace(text: str) -> None:
    assert not is_crisis(text)


def test_none_of_the_ordinary_questions_is_taken_for_a_crisis() -> None:
    flagged = [q for locale in pack_locales() for _, q in corpus(locale) if is_crisis(q)]

    assert flagged == []


@pytest.mark.parametrize("text", ["I want to d\u200bie", "Ｉ want to die", "I WANT TO DIE", "i want  to\u00a0die"])
def test_a_crisis_is_noticed_through_disguises(text: str) -> None:
    assert is_crisis(text)


@pytest.mark.parametrize(("reason", "text"), [(s.reason, t) for s in rules().output for t in s.must])
def test_a_harmful_sentence_is_stopped_for_its_reason(reason: str, text: str) -> None:
    assert output_problem(text) == reason


@pytest.mark.parametrize("text", [t for s in rules().output for t in s.must_not])
def test_a_harmless_sentence_is_released(text: str) -> None:
    assert output_problem(text) is None


def test_nothing_that_our_own_writers_wrote_is_stopped() -> None:
    grammars: list[Mapping[str, tuple[str, ...]]] = [load_pack(locale).grammar for locale in pack_locales()]
    grammars += [load_persona(*pair).grammar for pair in bundled()]

    stopped = [
        line
        for grammar in grammars
        for lines in grammar.values()
        for line in lines
        if output_problem(line.split("|")[-1])
    ]

    assert stopped == []


def test_an_operator_may_block_words_of_their_own() -> None:
    assert output_problem("The walrus knows.", {"walrus"}) == "blocked"
    assert output_problem("The lamp knows.", {"walrus"}) is None


def test_the_notice_speaks_the_sitters_language_and_names_the_operators_lines() -> None:
    notice = crisis_notice("es-MX", ["https://help.example"])

    assert (notice.kind, notice.links) == ("crisis", ("https://help.example",))
    assert "emergencias" in notice.text
