"""Tests of realtime/event_stream: how frames become Server-Sent Events, and how a stream ends."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from realtime import event_stream
from realtime.event_stream import SLOW_CONSUMER, EventStream
from realtime.outlet import CLOSE, framed
from sessions_app import events
from sessions_app.selectors.streams import Opening

OPENING = Opening(UUID(int=1), "5f1c0a9be2d4", 7, "open")
ENDED = {"session": {"access": "open"}}


def wire(event: str, data: Any, seq: int = 0) -> bytes:
    return framed(events.frame(event, data, seq=seq).encode())


async def told(stream: EventStream, *, seconds: float = 0.02) -> str:
    """What is sent within a moment."""
    sent: list[bytes] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["body"])

    task = asyncio.create_task(stream.run(send))
    await asyncio.wait([task], timeout=seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return b"".join(sent).decode()


async def test_a_stream_begins_with_its_position_and_tells_durable_events_only() -> None:
    stream = EventStream(OPENING)

    stream.write(wire("user_typing", events.UserTyping([], None)))
    stream.write(wire("resumed", events.Resumed(1, 2, 1)))
    size = stream.write(wire("message_deleted", events.MessageDeleted(UUID(int=2), None), seq=8))
    text = await told(stream)

    begin, event, rest = text.split("\n\n")
    assert (begin, rest) == ("id: 5f1c0a9be2d4:7", "")
    assert event.startswith('id: 5f1c0a9be2d4:8\nevent: message_deleted\ndata: {"event":"message_deleted"')
    assert size == len(text.encode())
    assert stream.backlog() == 0


@pytest.mark.parametrize(
    ("event", "data", "seq"),
    [("session_ended", ENDED, 8), ("resync_required", events.ResyncRequired("too_far_behind"), 0),
     ("goodbye", events.Goodbye("draining", 1234, 7), 0)],
)  # fmt: skip
async def test_nothing_comes_after_the_last_event(event: str, data: Any, seq: int) -> None:
    stream = EventStream(OPENING)

    stream.write(wire(event, data, seq))
    stream.write(wire("message_deleted", events.MessageDeleted(UUID(int=2), None), seq=9))
    text = await told(stream)

    assert f"event: {event}" in text
    assert "message_deleted" not in text
    assert ("retry: 1234\n" in text) == (event == "goodbye")


async def test_a_quiet_stream_gives_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_SECONDS", 0.01)

    text = await told(EventStream(OPENING), seconds=0.1)

    assert text.count(": keep-alive\n\n") >= 2


async def test_a_reader_that_is_given_up_leaves_nothing_in_memory() -> None:
    stream = EventStream(OPENING)
    stream.write(wire("session_updated", ENDED, 8))

    stream.wish({"type": CLOSE, "code": SLOW_CONSUMER})

    assert stream.cut.is_set()
    assert await told(stream) == ""


async def test_any_other_end_comes_after_what_was_written() -> None:
    stream = EventStream(OPENING)
    stream.write(wire("message_deleted", events.MessageDeleted(UUID(int=2), None), seq=8))

    stream.wish({"type": CLOSE, "code": 4001})

    assert "message_deleted" in await told(stream)
    assert not stream.cut.is_set()
