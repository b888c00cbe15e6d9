"""Room: tests/spirits. The chain: who answers, what is checked, what `degraded` says, how it is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from sessions_app.spirits.base import (
    BoardLine,
    Degenerate,
    Finish,
    ProviderError,
    Refused,
    Rejected,
    SpiritRequest,
    StreamItem,
    TimedOut,
    Unavailable,
    Usage,
    VoiceDelta,
)
from sessions_app.spirits.personas import load_persona
from sessions_app.spirits.providers.oracle import OracleProvider
from sessions_app.spirits.providers.scripted import ScriptedProvider, Wait, saying
from sessions_app.spirits.safety import output_problem
from sessions_app.spirits.service import generate_response

from .helpers import ask, board_of, collect, finish_of, voice_of


def test_the_first_provider_answers_in_whole_sentences() -> None:
    provider = ScriptedProvider([BoardLine("YES"), *map(VoiceDelta, ["Ye", "s. The ti", "de knows", "."])])

    items = collect(generate_response(ask(), [provider, OracleProvider()]))

    assert items == [
        BoardLine("YES"),
        VoiceDelta("Yes."),
        VoiceDelta("The tide knows."),
        Finish("llm", None, "scripted", "script"),
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unavailable(), "provider_down"),
        (Rejected(), "provider_down"),
        (Degenerate(), "provider_down"),
        (TimedOut(), "timeout"),
        (Refused(), "filtered"),
    ],
)
def test_the_oracle_answers_for_a_provider_that_fails(error: ProviderError, reason: str) -> None:
    provider = ScriptedProvider([error])

    items = collect(generate_response(ask(), [OracleProvider(), provider]))

    finish = finish_of(items)
    assert (finish.source, finish.degraded) == ("oracle", reason)
    assert len(board_of(items)) == 1


def test_the_secondary_answers_before_the_oracle() -> None:
    first, second = ScriptedProvider([Unavailable()], name="a"), ScriptedProvider(saying("HERE", "Here."), name="b")

    items = collect(generate_response(ask(), [first, second, OracleProvider()]))

    assert (finish_of(items).provider, finish_of(items).degraded) == ("b", "provider_down")


def test_a_provider_is_never_swapped_after_its_board_line() -> None:
    provider = ScriptedProvider([BoardLine("UNDER THE STAIR"), VoiceDelta("Look twice. Then"), Unavailable()])

    items = collect(generate_response(ask(), [provider, OracleProvider()]))

    assert board_of(items) == ["UNDER THE STAIR"]
    assert voice_of(items) == "Look twice. Then"
    assert finish_of(items) == Finish("llm", "provider_down", "scripted", "script")


def test_an_answer_cut_before_its_voice_says_its_board_line() -> None:
    provider = ScriptedProvider([BoardLine("UNDER THE STAIR"), Unavailable()])

    items = collect(generate_response(ask(), [provider]))

    assert voice_of(items) == "Under the stair."


def test_a_provider_that_never_begins_is_left_for_the_oracle() -> None:
    provider = ScriptedProvider([Wait(5), BoardLine("LATE")])

    items = collect(generate_response(ask(), [provider, OracleProvider()], total_s=0.05))

    assert (finish_of(items).source, finish_of(items).degraded) == ("oracle", "timeout")
    assert provider.closed == 1


def test_an_answer_is_ended_at_the_outer_deadline() -> None:
    provider = ScriptedProvider([BoardLine("SLOW"), VoiceDelta("One. "), Wait(5), VoiceDelta("Two.")])

    items = collect(generate_response(ask(), [provider], total_s=0.1))

    assert (voice_of(items), finish_of(items).degraded) == ("One.", "timeout")


def test_where_no_time_is_left_only_the_oracle_is_asked() -> None:
    provider = ScriptedProvider()

    items = collect(generate_response(ask(), [provider, OracleProvider()], total_s=0))

    assert (finish_of(items).source, finish_of(items).degraded) == ("oracle", "timeout")
    assert provider.requests == []


def test_a_flood_stops_at_thirty_words_and_frees_the_provider() -> None:
    provider = ScriptedProvider([BoardLine("WORDS"), *[VoiceDelta("Again it says eight words to the room. ")] * 50])

    items = collect(generate_response(ask(), [provider]))

    assert len(voice_of(items).split()) == 24
    assert provider.closed == 1


def test_a_sentence_without_an_end_is_no_answer() -> None:
    provider = ScriptedProvider([VoiceDelta("ha " * 800)])

    items = collect(generate_response(ask(), [provider, OracleProvider()]))

    assert finish_of(items).source == "oracle"


def test_a_board_line_is_cut_to_twenty_four_glyphs() -> None:
    provider = ScriptedProvider(saying("THE LANTERN HANGS ABOVE A SLEEPING RIVER", "Look up."))

    items = collect(generate_response(ask(), [provider]))

    assert board_of(items) == ["THE LANTERN HANGS ABOVE A"]


def test_a_voice_without_a_board_line_gets_one_from_its_first_sentence() -> None:
    provider = ScriptedProvider([VoiceDelta("Beneath the third step. Bring a light.")])

    items = collect(generate_response(ask(), [provider]))

    assert items[0] == BoardLine("Beneath the third step")


@pytest.mark.parametrize("name", ["Kill yourself", "www.evil.example", "OpenAI", "a@b.example", "#greet#", "Mátate"])
@pytest.mark.parametrize("locale", ["en", "es"])
def test_whatever_people_call_themselves_the_table_gets_an_answer_that_may_be_given(name: str, locale: str) -> None:
    persona = load_persona("the-spirit", locale)
    questions = ("hello", "hola", f"Say hello to {name}", f"saluda a {name}", f"Should I {name}?", "Who here lies?")

    for question in questions:
        for turn in range(1, 5):
            request = ask(question, asker=name, people=[name, "Ben"], turn=turn, persona=persona)
            items = collect(generate_response(request, [OracleProvider()]))
            assert isinstance(items[-1], Finish)
            assert not output_problem(board_of(items)[0])
            assert not output_problem(voice_of(items))


def test_silence_is_degenerate_and_raised_when_nobody_is_left() -> None:
    stream = generate_response(ask(), [ScriptedProvider([])])

    with pytest.raises(Degenerate):
        collect(stream)


def test_no_provider_at_all_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        collect(generate_response(ask(), []))


def test_a_provider_that_breaks_its_contract_is_unavailable() -> None:
    class Broken(ScriptedProvider):
        async def stream(self, request: SpiritRequest) -> AsyncGenerator[StreamItem, None]:
            if request.question:
                raise ZeroDivisionError
            yield BoardLine("NEVER")

    items = collect(generate_response(ask(), [Broken(), OracleProvider()]))

    assert finish_of(items).degraded == "provider_down"


def test_the_callers_own_reason_is_kept() -> None:
    items = collect(generate_response(ask(), [OracleProvider()], degraded="budget"))

    assert finish_of(items).degraded == "budget"


def test_usage_passes_through() -> None:
    provider = ScriptedProvider([*saying("YES", "Yes."), Usage(10, 5, 300)])

    assert Usage(10, 5, 300) in collect(generate_response(ask(), [provider]))


def test_closing_the_answer_closes_the_provider_within_200_ms() -> None:
    provider = ScriptedProvider([BoardLine("WAIT"), Wait(30)])

    async def cancel() -> float:
        stream = generate_response(ask(), [provider])
        task = asyncio.ensure_future(_drain(stream))
        await asyncio.sleep(0.05)
        before = asyncio.get_running_loop().time()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return asyncio.get_running_loop().time() - before

    took = asyncio.run(cancel())

    assert took < 0.2
    assert provider.closed == 1


async def _drain(stream: AsyncGenerator[StreamItem, None]) -> None:
    async for _ in stream:
        pass
