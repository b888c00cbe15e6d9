"""Tests of realtime/batching: what is written together is one frame, in order, and nothing waits or is lost."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from realtime.batching import MOST_BYTES, MOST_EVENTS, Batches
from realtime.outlet import framed, unframed
from tests.harness.client import RawClient
from tests.realtime.client import Place


class Kept:
    """An outlet that keeps what it is given."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.wishes: list[dict[str, Any]] = []

    def write(self, wire: bytes) -> int:
        self.texts.append(unframed(wire))
        return 0

    def backlog(self) -> int:
        return 7

    def wish(self, message: dict[str, Any]) -> None:
        self.wishes.append(message)

    def abort(self) -> None:
        self.wishes.append({"type": "abort"})


def events_in(text: bytes | str) -> list[Any]:
    """What a client does with a frame."""
    found = json.loads(text)
    return found if isinstance(found, list) else [found]


@given(st.lists(st.integers(min_value=1, max_value=20_000), max_size=120))
def test_whatever_is_written_comes_once_in_order_and_in_bounds(sizes: list[int]) -> None:
    async def written() -> list[bytes]:
        kept = Kept()
        batches = Batches(kept)
        for n, size in enumerate(sizes):
            batches.write(framed(json.dumps({"n": n, "x": "x" * size}).encode()))
        await asyncio.sleep(0)
        return kept.texts

    frames = [(len(text), events_in(text)) for text in asyncio.run(written())]

    assert [event["n"] for _, frame in frames for event in frame] == list(range(len(sizes)))
    assert all(len(frame) <= MOST_EVENTS for _, frame in frames)
    assert all(size <= MOST_BYTES for size, frame in frames if len(frame) > 1)


async def test_one_event_alone_is_an_object_and_goes_out_in_the_same_turn_of_the_loop() -> None:
    kept = Kept()
    batches = Batches(kept)

    assert batches.write(framed(b'{"event":"one"}')) == 7 + len(framed(b'{"event":"one"}'))
    assert kept.texts == []
    await asyncio.sleep(0)

    assert kept.texts == [b'{"event":"one"}']
    assert batches.backlog() == 7


async def test_it_passes_on_what_is_no_writing() -> None:
    kept = Kept()
    batches = Batches(kept)

    batches.wish({"type": "close"})
    batches.abort()

    assert [one["type"] for one in kept.wishes] == ["close", "abort"]


# --- On a real server -------------------------------------------------------------------------------------------------


async def joined(place: Place, session_id: str, **join: Any) -> tuple[RawClient, list[Any]]:
    """A socket that asked for batches, and the events up to its welcome."""
    client = RawClient(await _socket(place, session_id))
    await client.send("join_session", batch=True, **join)
    return client, events_in(await client.socket.recv())


async def _socket(place: Place, session_id: str) -> Any:
    sitter = await place.connect(session_id)
    return sitter.socket


async def heard(client: RawClient, until: str) -> tuple[list[Any], list[int]]:
    """The events up to the one that has this text, and how many each frame had."""
    found: list[Any] = []
    sizes = []
    async with asyncio.timeout(20):
        while not any(one.get("data", {}).get("text") == until for one in found):
            frame = events_in(await client.socket.recv())
            sizes.append(len(frame))
            found += frame
    return found, sizes


async def test_a_join_with_batches_begins_with_its_own_join_and_the_welcome_in_one_frame(quick: Place) -> None:
    session = quick.server.create_session()

    _, first = await joined(quick, session.id, name="Ada")

    assert [one["event"] for one in first] == ["user_joined", "welcome"]


async def test_nothing_is_lost_doubled_or_out_of_order_and_fewer_frames_come(quick: Place) -> None:
    session = quick.server.create_session()
    client, _ = await joined(quick, session.id, name="Ada")
    sitter = await quick.sit(session.id, name="Eve")
    for n in range(300):
        await sitter.send("send_message", text=f"message {n}", client_msg_id=f"m-{n}")

    found, sizes = await heard(client, until="message 299")

    assert [one["seq"] for one in found if "seq" in one] == list(range(1, 301))
    assert len(sizes) < 300
    assert max(sizes) <= MOST_EVENTS
    await client.send("heartbeat", ref="alone", last_seq=300)
    assert json.loads(await client.socket.recv())["ref"] == "alone"


async def test_resume_comes_in_batches_after_the_welcome(quick: Place) -> None:
    session = quick.server.create_session()
    client, first = await joined(quick, session.id, name="Ada", user_id="a secret")
    epoch = first[1]["data"]["epoch"]
    sitter = await quick.sit(session.id, name="Eve")
    for n in range(80):
        await sitter.send("send_message", text=f"message {n}", client_msg_id=f"m-{n}")
    await heard(client, until="message 79")
    await client.close(1000)

    resume = {"epoch": epoch, "after_seq": 0}
    again, events = await joined(quick, session.id, name="Ada", user_id="a secret", resume=resume)
    while events[-1]["event"] != "resumed":
        events += events_in(await again.socket.recv())

    assert [one["event"] for one in events[:2]] == ["user_joined", "welcome"]
    assert [one["seq"] for one in events if "seq" in one] == list(range(1, 81))


async def test_the_last_events_are_sent_before_the_close(quick: Place) -> None:
    session = quick.server.create_session()
    client, _ = await joined(quick, session.id, token=session.host_token)
    await client.send("send_message", text="the last word", client_msg_id="last")
    found, _ = await heard(client, until="the last word")
    await client.send("end_session")

    with suppress(ConnectionClosed):
        async for text in client.socket:
            found += events_in(text)

    assert [one["event"] for one in found if one["event"] != "ack"] == ["message_received", "session_ended"]
    assert client.socket.close_code == 4505
