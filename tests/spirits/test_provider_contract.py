"""Room: tests/spirits. One contract, every provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from sessions_app.spirits.base import BoardLine, Finish, SpiritProvider, StreamItem, Usage, VoiceDelta
from sessions_app.spirits.layouts import get_layout
from sessions_app.spirits.lettering import letter
from sessions_app.spirits.providers.openai_compat import OpenAICompatProvider
from sessions_app.spirits.providers.oracle import OracleProvider
from sessions_app.spirits.providers.scripted import ScriptedProvider, saying

from .helpers import ask
from .model_server import GOOD, serving

Maker = Callable[[], AbstractAsyncContextManager[SpiritProvider]]


@asynccontextmanager
async def oracle() -> AsyncIterator[SpiritProvider]:
    yield OracleProvider()


@asynccontextmanager
async def scripted() -> AsyncIterator[SpiritProvider]:
    yield ScriptedProvider(saying("HERE", "I am here. Go on."))


@asynccontextmanager
async def openai_compat() -> AsyncIterator[SpiritProvider]:
    async with serving((200, GOOD)) as server:
        provider = OpenAICompatProvider(server.settings())
        yield provider
        await provider.aclose()


every = pytest.mark.parametrize("make", [oracle, scripted, openai_compat])


def items_of(make: Maker) -> list[StreamItem]:
    async def run() -> list[StreamItem]:
        async with make() as provider:
            return [item async for item in provider.stream(ask())]

    return asyncio.run(run())


@every
def test_the_board_line_comes_first_and_once(make: Maker) -> None:
    items = items_of(make)

    assert isinstance(items[0], BoardLine)
    assert sum(isinstance(item, BoardLine) for item in items) == 1
    assert 0 < letter(items[0].text, get_layout("classic-en@1")).glyph_count <= 24


@every
def test_exactly_one_finish_comes_last(make: Maker) -> None:
    items = items_of(make)

    assert [isinstance(item, Finish) for item in items] == [False] * (len(items) - 1) + [True]


@every
def test_there_is_a_voice_of_at_most_thirty_words_and_one_usage_at_most(make: Maker) -> None:
    items = items_of(make)

    voice = "".join(item.text for item in items if isinstance(item, VoiceDelta))
    assert 0 < len(voice.split()) <= 30
    assert sum(isinstance(item, Usage) for item in items) <= 1


@every
def test_the_finish_names_the_provider(make: Maker) -> None:
    async def run() -> tuple[str, StreamItem]:
        async with make() as provider:
            assert isinstance(provider, SpiritProvider)
            return provider.name, [item async for item in provider.stream(ask())][-1]

    name, finish = asyncio.run(run())

    assert isinstance(finish, Finish)
    assert finish.provider == name
    assert finish.degraded is None


@every
def test_it_can_be_probed_left_half_way_asked_again_and_closed_twice(make: Maker) -> None:
    async def run() -> list[StreamItem]:
        async with make() as provider:
            await provider.probe()
            stream = provider.stream(ask())
            await anext(stream)
            await stream.aclose()
            items = [item async for item in provider.stream(ask())]
            await provider.aclose()
            await provider.aclose()
            return items

    assert isinstance(asyncio.run(run())[-1], Finish)
