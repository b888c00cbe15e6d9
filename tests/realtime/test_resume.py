"""Tests of realtime on a real server: coming back, and having missed nothing (docs/protocol.md, 2.6)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.harness.server import Opened, Stack
from tests.realtime.client import Place, Sitter, Told

pytestmark = pytest.mark.processes

FORGOTTEN = 1.3  # seconds after which the room of the last one is closed, with what it remembered


async def back(place: Place, room: Opened, *, epoch: str, after_seq: int, **join: Any) -> tuple[Sitter, list[Told]]:
    """Come back with a position; all that comes up to `resumed` or `resync_required`, without one's own first two."""
    sitter = await place.connect(room.id)
    sitter.may_skip = True
    await sitter.join(resume={"epoch": epoch, "after_seq": after_seq}, **join)
    missed = [await sitter.receive()]
    while missed[-1].event not in ("resumed", "resync_required"):
        missed.append(await sitter.receive())
    sitter.may_skip = False
    return sitter, missed


async def begun(place: Place, texts: int = 0) -> tuple[Opened, Sitter, str]:
    """A session, its host who has said so many things, and the name of its log."""
    room = place.server.create_session()
    host = await place.connect(room.id)
    epoch = (await host.join(token=room.host_token)).epoch
    for number in range(texts):
        await host.say(f"{number}")
    await host.until_now()
    return room, host, epoch


def log_of(sitter: Sitter) -> list[tuple[int, str]]:
    """What a socket was given of the log, to the letter."""
    return [(told.seq, told.text) for told in sitter.heard if told.seq]


async def test_what_was_missed_is_sent_again_to_the_letter(quick: Place) -> None:
    room, host, epoch = await begun(quick, texts=3)
    await host.send("update_session", name="Renamed")
    await host.say("after")

    sitter, missed = await back(quick, room, epoch=epoch, after_seq=1)

    *replayed, end = missed
    assert [(told.seq, told.text) for told in replayed] == log_of(host)[1:]
    assert (end.event, end.data.from_, end.data.to, end.data.count) == ("resumed", 1, 5, 4)
    await host.say("live")
    assert (await sitter.expect("message_received")).seq == 6


async def test_who_missed_nothing_is_told_so(quick: Place) -> None:
    room, _, epoch = await begun(quick, texts=2)

    _, (end,) = await back(quick, room, epoch=epoch, after_seq=2)

    assert (end.event, end.data.from_, end.data.to, end.data.count) == ("resumed", 2, 2, 0)


async def test_a_replay_from_the_database_is_the_same_as_one_from_memory(quick: Place) -> None:
    room, host, epoch = await begun(quick, texts=4)
    _, from_memory = await back(quick, room, epoch=epoch, after_seq=0)
    for sitter in quick.sockets:
        await sitter.close()
    quick.sockets.clear()
    await asyncio.sleep(FORGOTTEN)

    _, from_database = await back(quick, room, epoch=epoch, after_seq=0)

    assert [told.text for told in from_memory[:-1]] == [told.text for told in from_database[:-1]]
    assert [told.seq for told in from_database[:-1]] == [1, 2, 3, 4]


@pytest.mark.parametrize("emptied", [False, True])
async def test_a_deleted_message_is_left_out(emptied: bool, quick: Place) -> None:
    room, host, epoch = await begun(quick, texts=3)
    gone = next(told for told in host.heard if told.seq == 2)
    await host.send("delete_message", message_id=str(gone.data.id))
    await host.expect("message_deleted")
    if emptied:
        await host.close()
        await asyncio.sleep(FORGOTTEN)

    sitter, missed = await back(quick, room, epoch=epoch, after_seq=0)

    assert [told.seq for told in missed[:-1]] == [1, 3, 4]
    assert missed[-1].data.count == 3
    assert str(gone.data.id) not in "".join(told.text for told in missed if told.event != "message_deleted")
    history = quick.server.http("GET", f"/api/sessions/{room.id}/history").data
    assert [message["seq"] for message in history] == [1, 3]
    assert [message["seq"] for message in sitter.heard[1].data.recent] == [1, 3]


async def test_who_was_erased_is_nobody_in_a_replay_from_memory(quick: Place) -> None:
    room, ada, bob = quick.server.create_session(), quick.guest("Ada"), quick.guest("Bob")
    asker = await quick.connect(room.id)
    epoch = (await asker.join(token=ada.token)).epoch
    await asker.say("It was me")
    (await quick.sit(room.id, token=bob.token)).cut()
    await asyncio.sleep(0.3)
    assert quick.server.http("DELETE", "/api/auth/me", token=ada.token).status == 200
    await asker.closed()

    _, missed = await back(quick, room, epoch=epoch, after_seq=0, token=bob.token)

    (said,) = [told for told in missed if told.event == "message_received"]
    assert (said.data.user_id, said.data.user_name) == (None, "Someone")


async def test_a_foreign_epoch_must_resync(quick: Place) -> None:
    room, host, _ = await begun(quick, texts=2)

    sitter, (end,) = await back(quick, room, epoch="another", after_seq=1)

    assert (end.event, end.data.reason) == ("resync_required", "epoch_changed")
    await host.say("live")
    assert (await sitter.expect("message_received")).seq == 3


async def test_a_position_that_is_not_reached_yet_must_resync(quick: Place) -> None:
    room, _, epoch = await begun(quick, texts=2)

    for after_seq in (3, 2**63 - 1):
        _, (end,) = await back(quick, room, epoch=epoch, after_seq=after_seq)
        assert (end.event, end.data.reason) == ("resync_required", "position_unknown")


async def test_a_resume_is_all_or_nothing(quick: Place) -> None:
    """RESUME_MAX_EVENTS is 100 here."""
    room, host, epoch = await begun(quick)
    for number in range(101):
        await host.send("send_message", text=f"{number}")
    await host.say("the 102nd")
    await host.until_now()

    _, whole = await back(quick, room, epoch=epoch, after_seq=2)
    sitter, nothing = await back(quick, room, epoch=epoch, after_seq=1)

    assert (whole[-1].event, whole[-1].data.count) == ("resumed", 100)
    assert [(told.event, told.data.reason) for told in nothing] == [("resync_required", "too_far_behind")]
    await host.say("live")
    assert (await sitter.expect("message_received")).seq == 103


@pytest.mark.parametrize(
    "resume", [5, {}, {"epoch": 1, "after_seq": 1}, {"epoch": "x", "after_seq": -1}, {"epoch": "x", "after_seq": "1"}]
)
async def test_a_wrong_position_is_a_wrong_field(resume: object, quick: Place) -> None:
    room = quick.server.create_session()
    sitter = await quick.connect(room.id)

    await sitter.send("join_session", ref="r", resume=resume)

    assert await sitter.refusal() == ("VALIDATION_ERROR", "r")


async def test_the_bare_form_needs_no_position(quick: Place) -> None:
    room, host, _ = await begun(quick, texts=2)
    old = await quick.connect(room.id)

    await old.send_json({"user_id": "1", "name": "User1"})

    frames = [await old.receive() for _ in range(3)]
    assert [message["text"] for message in frames[1].data.recent] == ["0", "1"]
    await host.say("live")
    assert (await old.expect("message_received")).data.text == "live"


async def test_who_comes_and_goes_while_others_talk_misses_nothing(quick: Place) -> None:
    room, host, epoch = await begun(quick)
    collected: list[tuple[int, str]] = []
    position = 0
    done = asyncio.Event()

    async def talk() -> None:
        for number in range(90):
            await host.say(f"{number}")
        done.set()

    talking = asyncio.create_task(talk())
    while not done.is_set() or position < 90:
        sitter = await quick.connect(room.id)
        sitter.may_skip = True
        await sitter.join(user_id="ada", resume={"epoch": epoch, "after_seq": position})
        end = await sitter.expect("resumed", "resync_required")
        assert end.event == "resumed"
        await asyncio.sleep(0.02)
        await sitter.until_now()
        collected += log_of(sitter)
        position = collected[-1][0] if collected else 0
        sitter.cut()
    await talking

    assert [seq for seq, _ in collected] == list(range(1, 91))
    assert collected == log_of(host)


async def test_a_log_that_was_restored_sends_its_people_to_the_history(quick: Place, quick_stack: Stack) -> None:
    room, host, epoch = await begun(quick, texts=3)
    quick_stack.query("UPDATE sessions SET epoch = 'restored', last_seq = 3 WHERE id = %(session)s", session=room.id)

    told = await host.expect("resync_required", timeout=5)

    assert told.data.reason == "epoch_changed"
    assert (await host.say("live")).seq == 4
    sitter, (end,) = await back(quick, room, epoch=epoch, after_seq=1)
    assert end.data.reason == "epoch_changed"
    assert sitter.heard[1].data.epoch == "restored"
