"""Room: tests/spirits. The cache: one maker, honest keys, nothing stored that was not whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from msgspec.structs import replace

from sessions_app.spirits.base import BoardLine, Degraded, Finish, Line, StreamItem, TimedOut, Unavailable, VoiceDelta
from sessions_app.spirits.cache import AnswerCache, Cached, LocalLocks, MemoryStore, cache_key, ttl_for
from sessions_app.spirits.personas import load_persona
from sessions_app.spirits.providers.oracle import OracleProvider
from sessions_app.spirits.providers.scripted import ScriptedProvider, Step, Wait, saying
from sessions_app.spirits.service import generate_response

from .helpers import ask, board_of, finish_of, voice_of


async def through(
    cache: AnswerCache, provider: ScriptedProvider, *, degraded: Degraded | None = None
) -> list[StreamItem]:
    stream = cache.answer("k", lambda _: generate_response(ask(), [provider], degraded=degraded), 20)
    return [item async for item in stream]


def test_a_hit_is_replayed_and_says_so() -> None:
    async def run() -> tuple[list[StreamItem], list[StreamItem], int]:
        cache, provider = AnswerCache(), ScriptedProvider(saying("HERE", "Look. Again."))
        return await through(cache, provider), await through(cache, provider), len(provider.requests)

    first, second, calls = asyncio.run(run())

    assert calls == 1
    assert (board_of(second), voice_of(second)) == (board_of(first), voice_of(first))
    assert finish_of(second) == Finish("cache", None, "scripted", "script")


def test_ten_who_ask_at_once_cost_one_call() -> None:
    async def run() -> tuple[int, AnswerCache]:
        cache, provider = AnswerCache(), ScriptedProvider([Wait(0.05), *saying("HERE", "Look.")])
        await asyncio.gather(*(through(cache, provider) for _ in range(10)))
        return len(provider.requests), cache

    calls, cache = asyncio.run(run())

    assert calls == 1
    assert cache.counts == {"misses": 1, "stored": 1, "coalesced": 9}


@pytest.mark.parametrize(
    "script",
    [
        [BoardLine("HERE"), VoiceDelta("Half"), Unavailable()],
        [*saying("HERE", "Kill yourself. Now.")],
        [*saying("HERE", "Look."), Finish("oracle", None, "oracle", "o")],
    ],
)
def test_a_cut_filtered_or_oracle_answer_is_not_stored(script: list[Step]) -> None:
    async def run() -> AnswerCache:
        cache = AnswerCache()
        await through(cache, ScriptedProvider(script))
        return cache

    assert asyncio.run(run()).counts["stored"] == 0


def test_a_degraded_answer_is_not_stored() -> None:
    async def run() -> AnswerCache:
        cache = AnswerCache()
        await through(cache, ScriptedProvider(), degraded="budget")
        return cache

    assert asyncio.run(run()).counts["stored"] == 0


def test_when_the_maker_goes_away_the_next_one_makes_it() -> None:
    async def run() -> tuple[list[StreamItem], int]:
        cache, provider = AnswerCache(), ScriptedProvider([Wait(5)], saying("HERE", "Look."))
        leaver = asyncio.ensure_future(through(cache, provider))
        await asyncio.sleep(0.01)
        stayer = asyncio.ensure_future(through(cache, provider))
        await asyncio.sleep(0.01)
        leaver.cancel()
        return await stayer, len(provider.requests)

    items, calls = asyncio.run(run())

    assert board_of(items) == ["HERE"]
    assert calls == 2


@pytest.mark.parametrize("silence", [[Wait(5)], [Wait(0.1), TimedOut()]])
def test_twelve_who_ask_a_silent_model_are_all_answered_within_one_deadline(silence: list[Step]) -> None:
    provider = ScriptedProvider(silence)

    async def one(cache: AnswerCache) -> list[StreamItem]:
        def make(seconds: float) -> AsyncGenerator[StreamItem, None]:
            return generate_response(ask(), [provider, OracleProvider()], total_s=seconds)

        return [item async for item in cache.answer("k", make, 0.35)]

    async def run() -> tuple[list[list[StreamItem]], float]:
        cache, loop = AnswerCache(), asyncio.get_running_loop()
        began = loop.time()
        return await asyncio.gather(*(one(cache) for _ in range(12))), loop.time() - began

    answers, took = asyncio.run(run())

    assert [(finish_of(items).source, finish_of(items).degraded) for items in answers] == [("oracle", "timeout")] * 12
    assert len(provider.requests) == 1
    assert took < 1.0


def test_a_whole_answer_is_waited_for_until_the_deadline_and_not_beyond() -> None:
    async def run() -> tuple[list[StreamItem], list[StreamItem]]:
        cache, provider = AnswerCache(), ScriptedProvider([BoardLine("SLOW"), Wait(0.2), VoiceDelta("Look.")])
        maker = asyncio.ensure_future(through(cache, provider))
        await asyncio.sleep(0.01)
        patient = asyncio.ensure_future(through(cache, provider))
        hasty = cache.answer("k", lambda seconds: generate_response(ask(), [OracleProvider()], total_s=seconds), 0.05)
        early = [item async for item in hasty]
        await maker
        return await patient, early

    patient, early = asyncio.run(run())

    assert (finish_of(patient).source, finish_of(early).source) == ("cache", "oracle")


def test_an_answer_expires_and_the_oldest_leave_a_full_store() -> None:
    now = [0.0]
    store = MemoryStore(size=2, clock=lambda: now[0])
    kept = Cached("A", ("b",), "p", "m")

    async def run() -> list[Cached | None]:
        await store.put("1", kept, 10)
        await store.put("2", kept, 100)
        await store.put("3", kept, 100)
        before = [await store.get("1"), await store.get("2")]
        now[0] = 101.0
        return [*before, await store.get("3")]

    assert asyncio.run(run()) == [None, kept, None]


def test_locks_are_forgotten() -> None:
    locks = LocalLocks()

    async def run() -> None:
        async with locks("k"):
            pass

    asyncio.run(run())

    assert not locks._locks


KEY = {"revision": "r", "sampling": "s", "layout": "l"}


def test_a_plain_question_is_shared_by_sessions_and_a_personal_one_is_not() -> None:
    other = {"session_id": "s-2"}

    assert cache_key(ask("Is it late?"), **KEY) == cache_key(replace(ask("Is it late?"), **other), **KEY)
    assert cache_key(ask("Is Ben late?"), **KEY) != cache_key(replace(ask("Is Ben late?"), **other), **KEY)
    told = [Line(1, "Ben", "hm", False)]
    assert cache_key(ask(history=told), **KEY) != cache_key(replace(ask(history=told), **other), **KEY)


def test_the_key_knows_persona_revision_sampling_layout_and_prompt() -> None:
    base = cache_key(ask("Is it late?"), **KEY)
    changed = {
        cache_key(ask("Is it early?"), **KEY),
        cache_key(ask("Is it late?", persona=replace(load_persona(), version=2)), **KEY),
        *(cache_key(ask("Is it late?"), **KEY | {name: "x"}) for name in KEY),
    }

    assert base not in changed
    assert len(changed) == 5


def test_times_to_live_differ_by_a_tenth_at_most() -> None:
    times = [ttl_for(f"{n:08x}") for n in range(0, 2**32, 2**27)]

    assert min(times) >= 6 * 3600 * 0.9
    assert max(times) <= 6 * 3600 * 1.1
    assert len(set(times)) > 20
