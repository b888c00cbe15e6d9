"""Room: tests/spirits. The model provider against a real server on the loopback, in every mood."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Sequence

import pytest
from django.conf import settings

from seance_project import logs
from sessions_app.spirits.base import (
    BoardLine,
    Degenerate,
    Finish,
    ProviderError,
    Refused,
    Rejected,
    SpiritProvider,
    StreamItem,
    TimedOut,
    Unavailable,
    Usage,
)
from sessions_app.spirits.breaker import Breaker
from sessions_app.spirits.providers.openai_compat import OpenAICompatProvider
from sessions_app.spirits.providers.oracle import OracleProvider
from sessions_app.spirits.registry import ProviderSettings
from sessions_app.spirits.service import generate_response

from .helpers import ask, board_of, finish_of, voice_of
from .model_server import DONE, GOOD, ModelServer, Step, chunk, serving

Script = tuple[int, Sequence[Step | None]]


def converse(
    *scripts: Script, breaker: Breaker | None = None
) -> tuple[list[StreamItem], ProviderError | None, ModelServer]:
    """What the provider gave, the error it ended with, and the server."""

    async def run() -> tuple[list[StreamItem], ProviderError | None, ModelServer]:
        got: list[StreamItem] = []
        async with serving(*scripts) as server:
            provider = OpenAICompatProvider(server.settings(), breaker=breaker)
            try:
                async for item in provider.stream(ask()):
                    got.append(item)
            except ProviderError as error:
                return got, error, server
            finally:
                await provider.aclose()
        return got, None, server

    return asyncio.run(run())


def hear(
    *scripts: Script, breaker: Breaker, questions: int = 1, first_token_s: float = 1.2, total_s: float = 20.0
) -> tuple[list[StreamItem], ModelServer]:
    """What the chain says to the last of so many questions, and the server."""

    async def run() -> tuple[list[StreamItem], ModelServer]:
        items: list[StreamItem] = []
        async with serving(*scripts) as server:
            provider = OpenAICompatProvider(server.settings(first_token_s=first_token_s), breaker=breaker)
            for _ in range(questions):
                stream = generate_response(ask(), [provider, OracleProvider()], total_s=total_s)
                items = [item async for item in stream]
            await provider.aclose()
        return items, server

    return asyncio.run(run())


def half_open() -> Breaker:
    breaker = Breaker(threshold=1, cooldown_s=0)
    breaker.failed()
    return breaker


def test_an_answer_is_streamed_with_its_board_line_first_and_its_cost() -> None:
    items, error, server = converse((200, GOOD))

    assert error is None
    assert items[0] == BoardLine("UNDER THE STAIR")
    assert "".join(i.text for i in items[1:] if hasattr(i, "text")) == "Look twice. Then once."
    assert items[-2:] == [Usage(120, 30, 180), Finish("llm", None, "openai_compat", "m")]
    assert server.bodies[0]["stream"] is True
    assert "tools" not in server.bodies[0]


@pytest.mark.parametrize(
    ("script", "kind", "code", "calls"),
    [
        ((401, ["no"]), Rejected, "http_401", 1),
        ((429, ["later"]), Rejected, "http_429", 1),
        ((500, ["oops"]), Unavailable, "http_500", 2),
        ((200, ["data: {not json}\n\n"]), Degenerate, "malformed", 2),
        ((200, [chunk("BOARD: HAL"), None]), Unavailable, "unavailable", 2),
        ((200, [chunk("BOARD: HALF")]), Unavailable, "cut", 1),
        ((200, [chunk(refusal="I cannot"), chunk(finish="stop"), DONE]), Refused, "refused", 1),
        ((200, [chunk(finish="stop"), DONE]), Degenerate, "degenerate", 2),
        ((200, [3.0, *GOOD]), TimedOut, "timeout", 1),
        ((200, [*[0.3, chunk("B")] * 20]), TimedOut, "timeout", 1),
    ],
)
def test_every_fault_becomes_a_typed_error(script: Script, kind: type[ProviderError], code: str, calls: int) -> None:
    _, error, server = converse(script)

    assert type(error) is kind
    assert error is not None
    assert error.code == code
    assert len(server.bodies) == calls


def test_one_retry_is_enough_for_a_passing_fault_and_ignores_retry_after() -> None:
    began = time.monotonic()

    items, error, server = converse((503, ["later"]), (200, GOOD))

    assert error is None
    assert board_of(items) == ["UNDER THE STAIR"]
    assert len(server.bodies) == 2
    assert time.monotonic() - began < 1.5


def test_a_model_that_never_stops_is_left() -> None:
    endless = [chunk("BOARD: HA\nVOICE: "), *[chunk("ha ha ha ha ha ha ha ha ha ha ")] * 400]

    items, error, _ = converse((200, endless))

    assert isinstance(error, Degenerate)
    assert board_of(items) == ["HA"]


def test_a_slow_drip_ends_at_the_outer_deadline() -> None:
    pieces: list[Step | None] = [0.1, chunk("drop ")] * 60
    breaker = half_open()

    items, server = hear((200, [chunk("BOARD: DRIP\nVOICE: "), *pieces]), breaker=breaker, total_s=1.5)

    assert (board_of(items), finish_of(items).degraded) == (["DRIP"], "timeout")
    assert len(server.bodies) == 1
    assert breaker.state == "closed"


def test_nobody_listening_is_unavailable_at_once() -> None:
    provider = OpenAICompatProvider(ProviderSettings(base_url="http://127.0.0.1:9/v1", model="m"))

    async def run() -> None:
        async for _ in provider.stream(ask()):
            pass

    with pytest.raises(Unavailable):
        asyncio.run(run())


def test_closing_the_stream_hangs_up_on_the_server_within_200_ms() -> None:
    async def run() -> tuple[float, int]:
        pieces: list[Step | None] = [0.02, chunk("drop ")] * 200
        drip: list[Step | None] = [chunk("BOARD: DRIP\nVOICE: "), *pieces]
        async with serving((200, drip)) as server:
            provider = OpenAICompatProvider(server.settings())
            stream = provider.stream(ask())
            await anext(stream)
            began = time.monotonic()
            await stream.aclose()
            took = time.monotonic() - began
            for _ in range(40):
                await asyncio.sleep(0.02)
                if server.hung_up:
                    break
            await provider.aclose()
            return took, server.hung_up

    took, hung_up = asyncio.run(run())

    assert took < 0.2
    assert hung_up == 1


def test_the_breaker_opens_after_failures_and_lets_one_try_through_later() -> None:
    now = [0.0]
    breaker = Breaker(threshold=2, cooldown_s=30, clock=lambda: now[0])

    converse((500, ["oops"]), breaker=breaker)
    _, refused, server = converse((200, GOOD), breaker=breaker)
    now[0] = 31.0
    half_open = breaker.state
    _, healed, _ = converse((200, GOOD), breaker=breaker)

    assert refused is not None
    assert (refused.code, server.bodies) == ("breaker_open", [])
    assert (half_open, healed, breaker.state) == ("half_open", None, "closed")


def test_a_failed_try_opens_the_breaker_again_and_only_one_may_try() -> None:
    now = [0.0]
    breaker = Breaker(threshold=1, cooldown_s=30, clock=lambda: now[0])
    breaker.failed()
    now[0] = 31.0
    breaker.enter()

    with pytest.raises(Unavailable):
        breaker.enter()
    breaker.failed()

    assert breaker.state == "open"


def test_a_server_that_hangs_opens_the_breaker_and_is_asked_no_more() -> None:
    breaker = Breaker(threshold=2, cooldown_s=30)

    _, asked = hear((200, [5.0]), breaker=breaker, questions=2, first_token_s=0.6)
    began = time.monotonic()
    items, spared = hear((200, [5.0]), breaker=breaker)

    assert (len(asked.bodies), breaker.state) == (2, "open")
    assert (finish_of(items).source, finish_of(items).degraded) == ("oracle", "provider_down")
    assert spared.bodies == []
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    "voice", ["Again it says eight words to the room. " * 8, "Look twice. Kill yourself. Now. Then rest."]
)
def test_an_answer_that_was_long_enough_or_filtered_heals_the_breaker(voice: str) -> None:
    breaker = half_open()

    items, _ = hear((200, [chunk(f"BOARD: HERE\nVOICE: {voice}"), 5.0]), breaker=breaker)

    assert (board_of(items), finish_of(items).source) == (["HERE"], "llm")
    assert breaker.state == "closed"


def test_whoever_goes_away_before_anything_came_leaves_the_breaker_as_it_was() -> None:
    breaker = half_open()

    async def run() -> None:
        async with serving((200, [5.0])) as server:
            provider = OpenAICompatProvider(server.settings(), breaker=breaker)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await anext(provider.stream(ask()))
            await provider.aclose()

    asyncio.run(run())

    assert breaker.state == "half_open"
    breaker.enter()


def test_the_oracle_takes_over_from_a_dead_server() -> None:
    async def run() -> list[StreamItem]:
        async with serving((500, ["oops"])) as server:
            chain: list[SpiritProvider] = [OpenAICompatProvider(server.settings()), OracleProvider()]
            return [item async for item in generate_response(ask(), chain)]

    items = asyncio.run(run())

    assert (finish_of(items).source, finish_of(items).degraded) == ("oracle", "provider_down")


def test_a_cut_after_the_board_line_keeps_the_board_line() -> None:
    async def run() -> list[StreamItem]:
        async with serving((200, [chunk("BOARD: HERE\nVOICE: Close by. And"), None])) as server:
            chain: list[SpiritProvider] = [OpenAICompatProvider(server.settings()), OracleProvider()]
            return [item async for item in generate_response(ask(), chain)]

    items = asyncio.run(run())

    assert board_of(items) == ["HERE"]
    assert voice_of(items).startswith("Close by.")
    assert finish_of(items).degraded == "provider_down"


def test_a_provider_without_a_model_is_rejected() -> None:
    with pytest.raises(Rejected):
        OpenAICompatProvider(ProviderSettings())


def test_a_call_is_one_line_of_the_log_that_says_why_it_failed_and_nothing_of_what_was_asked() -> None:
    stream = io.StringIO()

    async def run() -> None:
        async with serving((429, ("{}",)), (200, GOOD)) as server:
            provider = OpenAICompatProvider(server.settings())
            for question in ("Where is Ada's ring?", "And her coat?"):
                async for _ in generate_response(ask(question), [provider, OracleProvider()]):
                    pass
            await provider.aclose()

    logs.configure(level="INFO", as_json=True, stream=stream)
    try:
        asyncio.run(run())
    finally:
        logs.configure(level=settings.SEANCE.log_level, as_json=settings.SEANCE.is_production)

    failed, answered = [json.loads(line) for line in stream.getvalue().splitlines()]
    common = {"provider": "openai_compat", "model": "m", "logger": "sessions_app.spirits.service"}
    assert {key: failed[key] for key in common} == {key: answered[key] for key in common} == common
    assert (failed["event"], failed["level"]) == ("spirit_provider_failed", "warning")
    assert (failed["status"], failed["reason"]) == (429, "http_429")
    assert (answered["event"], answered["level"], answered["filtered"]) == ("spirit_provider_answered", "info", False)
    assert all(0 <= line["ms"] < 3000 for line in (failed, answered))
    assert "ring" not in stream.getvalue()
    assert "127.0.0.1" not in stream.getvalue()
