"""Tests of realtime/process, how often things are done: whoever is in never waits for those who knock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import cast

import pytest
from pytest_django import Settings

from realtime.bridge import Bridge
from realtime.process import Process
from sessions_app import limits
from sessions_app.errors import SeanceError
from tests.services.helpers import with_settings

ADDRESSES = [f"198.51.100.{number}" for number in range(9)]
MESSAGE = (("messages", "somebody"), ("session-messages", "a room"))


class Engine:
    """Counts as the real one does, with a Redis that can be made to wait before it answers about addresses."""

    def __init__(self) -> None:
        self.known: dict[str, float] = {}
        self.asked: list[str] = []
        self.threads: set[int] = set()
        self.gate, self.entered = threading.Event(), threading.Semaphore(0)

    def hit(self, rates: str, key: tuple[str, ...], *, strict: bool = False) -> float:
        self.asked.append(key[0])
        self.threads.add(threading.get_ident())
        if key[0] == "handshakes":
            self.entered.release()
            assert self.gate.wait(10)
        return 0.0

    def hit_at_once(self, rates: str, key: tuple[str, ...]) -> float | None:
        return self.known.get(key[0])


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Engine:
    settings.SEANCE = with_settings(rate_limits_enabled=True)
    engine = Engine()
    monkeypatch.setattr(limits, "engine", lambda: engine)
    return engine


@pytest.fixture
async def process(engine: Engine) -> AsyncIterator[Process]:
    """The part of a process that counts."""
    process = SimpleNamespace(limits_bridge=Bridge(2), door_bridge=Bridge(2))
    yield cast(Process, process)
    engine.gate.set()
    process.limits_bridge.close()
    process.door_bridge.close()


async def test_who_is_in_does_not_wait_for_those_who_knock(process: Process, engine: Engine) -> None:
    crowd = [asyncio.create_task(Process.count(process, ("handshakes", address))) for address in ADDRESSES]
    for _ in range(2):
        assert await asyncio.to_thread(engine.entered.acquire, timeout=10)

    async with asyncio.timeout(5):
        await Process.count(process, *MESSAGE)

    assert not any(task.done() for task in crowd)
    engine.gate.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*crowd)


async def test_what_needs_no_question_takes_no_thread(process: Process, engine: Engine) -> None:
    engine.known = {"messages": 0.0, "session-messages": 0.0}

    await Process.count(process, *MESSAGE)

    assert engine.asked == []
    engine.known = {"messages": 0.0, "session-messages": 1.5}
    with pytest.raises(SeanceError) as refused:
        await Process.count(process, *MESSAGE)
    assert refused.value.retry_after_ms == 1500
    assert engine.asked == []


async def test_a_question_is_never_asked_on_the_event_loop(process: Process, engine: Engine) -> None:
    await Process.count(process, *MESSAGE)

    assert engine.asked == ["messages", "session-messages"]
    assert threading.get_ident() not in engine.threads


async def test_without_limits_nobody_is_counted(process: Process, engine: Engine, settings: Settings) -> None:
    settings.SEANCE = with_settings(rate_limits_enabled=False)
    engine.known = {"messages": 9.0}

    await Process.count(process, *MESSAGE)

    assert engine.asked == []
