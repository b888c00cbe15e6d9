"""Tests of realtime on a real server: frames off the wire, well and ill (docs/protocol.md, 2.1 and 2.7)."""

from __future__ import annotations

import asyncio
import json
import random
import time

import pytest
from websockets.frames import Frame, Opcode

from tests.realtime.client import Place, Sitter

pytestmark = [pytest.mark.processes, pytest.mark.once]


async def one(place: Place, **session: object) -> Sitter:
    return await place.sit(place.server.create_session(**session).id)  # type: ignore[arg-type]


async def write(sitter: Sitter, wire: bytes) -> None:
    """Bytes as they are, past the client's own framing."""
    sitter.socket.transport.write(wire)


def framed(payload: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    """A masked frame, as clients send them."""
    return Frame(opcode, payload, fin).serialize(mask=True)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "INVALID_FORMAT"),
        ("hello", "INVALID_FORMAT"),
        ("[]", "INVALID_FORMAT"),
        ("null", "INVALID_FORMAT"),
        ('{"event": 5}', "INVALID_FORMAT"),
        ('{"event": "typing", "data": NaN}', "INVALID_FORMAT"),
        ('{"event": "typing", "data": {"x": ' + "[" * 8 + "]" * 8 + "}}", "INVALID_FORMAT"),
        ("[" * 10_000, "INVALID_FORMAT"),
        ('{"event": "send_message", "data": {"text": "\\ud800"}}', "INVALID_FORMAT"),
        ('{"event": "heartbeat", "data": {"last_seq": ' + "9" * 5000 + "}}", None),
        (b"\x00\x01", "INVALID_FORMAT"),
        (b'{"event": "typing"}', "INVALID_FORMAT"),
        ('{"event": "typing", "data": "x"}', "INVALID_FORMAT"),
        ('{"event": "dance"}', "UNKNOWN_EVENT"),
        ('{"event": "message_received"}', "UNKNOWN_EVENT"),
        ('{"event": "typing", "ref": "%s"}' % ("x" * 65), "VALIDATION_ERROR"),
        ('{"event": "typing", "ref": 5}', "VALIDATION_ERROR"),
        ('{"event": "typing", "data": {"is_typing": 1}}', "VALIDATION_ERROR"),
    ],
)
async def test_a_bad_frame_is_answered_and_the_socket_stays_open(
    frame: str | bytes, code: str | None, quick: Place
) -> None:
    sitter = await one(quick)

    await sitter.send_raw(frame)

    found, ref = await sitter.refusal()
    assert ref is None
    assert code is None or found == code
    assert (await sitter.say("still here")).seq == 1


async def test_an_unknown_event_is_answered_with_its_ref(quick: Place) -> None:
    sitter = await one(quick)

    await sitter.send("dance", ref="d1")

    assert await sitter.refusal() == ("UNKNOWN_EVENT", "d1")


async def test_a_ref_is_given_back_as_it_came(quick: Place) -> None:
    sitter = await one(quick)

    for ref in ("", "x" * 64, "é\U0001f47b", '"\\'):
        await sitter.send("heartbeat", ref=ref)
        assert (await sitter.expect("heartbeat")).ref == ref


async def test_a_frame_over_16_kib_is_answered_and_one_over_64_kib_ends_it(quick: Place) -> None:
    sitter = await one(quick)

    await sitter.send("typing", padding="x" * 16_000)
    await sitter.send("typing", padding="x" * 16_384)
    await sitter.send("typing", padding="x" * 64_000)
    assert [await sitter.refusal() for _ in range(2)] == [("INVALID_FORMAT", None)] * 2
    assert (await sitter.say("still here")).seq == 1
    await sitter.send("typing", padding="x" * 65_536)

    assert await sitter.closed() == 1009


async def test_the_twentieth_bad_frame_in_a_minute_ends_it(quick: Place) -> None:
    sitter = await one(quick)

    for _ in range(19):
        await sitter.send_raw("bad")
    assert [told.event for told in await sitter.until_now()] == ["error"] * 19
    await sitter.send_raw("bad")

    assert await sitter.closed() == 4502
    assert sitter.heard[-1].data.code == "INVALID_FORMAT"


async def test_bad_frames_are_counted_over_a_whole_minute(quick: Place) -> None:
    sitter = await one(quick)

    for _ in range(19):
        await sitter.send_raw("bad")
        await asyncio.sleep(0.05)
    await asyncio.sleep(3.1)  # at an even pace one more would be free by now
    await sitter.send_raw("bad")

    assert await sitter.closed() == 4502


async def test_errors_that_are_no_bad_frames_do_not_add_up(quick: Place) -> None:
    sitter = await one(quick)

    for _ in range(40):
        await sitter.send("send_message", text="")
        await sitter.send("delete_message", message_id="0192f0c1-2345-7678-9abc-def012345678")

    assert {told.data.code for told in await sitter.until_now()} == {"EMPTY_MESSAGE", "NOT_FOUND"}


async def test_a_message_in_fragments_with_a_ping_in_between_is_one_message(quick: Place) -> None:
    sitter = await one(quick)
    text = json.dumps(
        {"event": "send_message", "ref": "f", "data": {"text": "in éight parts \U0001f47b"}}, ensure_ascii=False
    )
    raw = text.encode()
    size = -(-len(raw) // 8)
    parts = [raw[at : at + size] for at in range(0, len(raw), size)]

    await write(sitter, framed(parts[0], fin=False))
    for part in parts[1:-1]:
        await write(sitter, framed(b"beat", Opcode.PING))
        await write(sitter, framed(part, Opcode.CONT, fin=False))
    await write(sitter, framed(parts[-1], Opcode.CONT))

    assert (await sitter.expect("message_received")).data.text == "in éight parts \U0001f47b"
    assert (await sitter.say("whole again")).seq == 2


async def test_frames_cut_anywhere_and_glued_together_are_the_same_frames(quick: Place) -> None:
    sitter = await one(quick)
    texts = [f"{number} " + "x" * random.Random(number).choice([1, 60, 130, 400]) for number in range(40)]
    wire = b"".join(
        framed(json.dumps({"event": "send_message", "data": {"text": text}}).encode())
        + (framed(b"", Opcode.PING) if number % 7 == 0 else b"")
        for number, text in enumerate(texts)
    )
    cuts = random.Random(7)

    while wire:
        size = cuts.choice([1, 2, 3, 5, 8, 100, 1000])
        await write(sitter, wire[:size])
        wire = wire[size:]
        await asyncio.sleep(0)
    heard = [await sitter.expect("message_received") for _ in texts]

    assert [told.data.text for told in heard] == texts


async def test_fragments_that_add_up_to_too_much_end_it(quick: Place) -> None:
    sitter = await one(quick)

    await write(sitter, framed(b"x" * 30_000, fin=False))
    for _ in range(3):
        await write(sitter, framed(b"x" * 30_000, Opcode.CONT, fin=False))

    assert await sitter.closed() == 1009


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (framed(b"\xff\xfe"), 1007),
        (framed(b'{"event": "send_message", "data": {"text": "\xed\xa0\x80"}}'), 1007),
        (framed(b"\xff", fin=False) + framed(b"\xfe", Opcode.CONT), 1007),
        (Frame(Opcode.TEXT, b"{}").serialize(mask=False), 1002),
        (framed(b"{}", Opcode.CONT), 1002),
        (b"\x89\xfe\x00\x7e" + bytes(4 + 126), 1002),  # a ping with too much in it
        (b"\xf1\x80\x00\x00\x00\x00", 1002),
        (b"\x83\x80\x00\x00\x00\x00", 1002),
    ],
    ids=range(8),  # the masks are random, and a name must be the same in every process
)
async def test_what_is_no_websocket_is_closed_by_the_rules_and_never_1011(wire: bytes, code: int, quick: Place) -> None:
    room = quick.server.create_session()
    other, sitter = await quick.sit(room.id), await quick.sit(room.id)

    await write(sitter, wire)

    assert await sitter.closed() == code
    assert (await other.say("unmoved")).seq == 1


async def test_a_ping_is_answered(quick: Place) -> None:
    sitter = await one(quick)

    latency = await (await sitter.socket.ping())

    assert latency < 5


async def test_a_join_and_what_follows_may_come_in_one_piece(quick: Place) -> None:
    room = quick.server.create_session()
    sitter = await quick.connect(room.id)
    frames = [{"event": "join_session", "data": {"name": "Quick"}}, {"event": "send_message", "data": {"text": "Hi"}}]

    await write(sitter, b"".join(framed(json.dumps(frame).encode()) for frame in frames))

    assert [(await sitter.receive()).event for _ in range(3)] == ["user_joined", "welcome", "message_received"]


async def test_nothing_that_a_client_throws_is_a_1011(quick: Place) -> None:
    room = quick.server.create_session()
    witness = await quick.sit(room.id)
    dice = random.Random(20261122)
    alphabet = [
        "{",
        "}",
        '"event"',
        ":",
        '"send_message"',
        ",",
        '"data"',
        "[",
        "]",
        "1e999",
        "\\u0000",
        "null",
        '"',
        " ",
    ]

    async def throw() -> int | None:
        sitter = await quick.connect(room.id)
        if dice.random() < 0.7:
            await sitter.join()
        for _ in range(19):
            await sitter.send_raw("".join(dice.choices(alphabet, k=dice.randrange(1, 30))))
        if dice.random() < 0.5:
            await write(sitter, dice.randbytes(dice.randrange(1, 40)))
        sitter.socket.transport.write_eof()
        return await sitter.closed()

    codes = await asyncio.gather(*(throw() for _ in range(12)))

    assert not {1011, 4000} & set(codes)
    assert (await witness.say("unmoved")).seq == 1


# --- Per time ---------------------------------------------------------------------------------------------------------


async def test_a_user_has_five_messages_at_once_and_is_told_when_to_go_on(strict: Place) -> None:
    sitter = await one(strict)

    for number in range(7):
        await sitter.send("send_message", ref=f"{number}", text=f"{number}")
    heard = await sitter.until_now()
    while sum(told.event == "ack" for told in heard) < 5:
        heard.append(await sitter.receive())

    errors = [told for told in heard if told.event == "error"]
    assert [told.ref for told in heard if told.event == "ack"] == ["0", "1", "2", "3", "4"]
    assert [(told.ref, told.data.code, told.data.retryable) for told in errors] == [
        ("5", "RATE_LIMITED", True), ("6", "RATE_LIMITED", True),
    ]  # fmt: skip
    wait = errors[0].data.retry_after_ms
    assert 0 < wait <= 1000
    await asyncio.sleep(wait / 1000)
    assert (await sitter.say("again")).seq == 6


async def test_two_sockets_of_a_user_share_its_messages_and_two_users_do_not(strict: Place) -> None:
    room = strict.server.create_session()
    twice = [await strict.sit(room.id, user_id="a") for _ in range(2)]
    other = await strict.sit(room.id, user_id="b")

    for number in range(3):
        for sitter in (*twice, other):
            await sitter.send("send_message", ref=f"{number}", text=f"{number}")
    heard = [[told.event for told in await sitter.until_now()] for sitter in (*twice, other)]

    assert heard[0].count("error") + heard[1].count("error") == 1
    assert heard[2].count("error") == 0


async def test_a_socket_has_120_frames_a_minute(strict: Place) -> None:
    sitter = await one(strict)
    began = time.monotonic()

    for number in range(130):
        await sitter.send("typing", ref=f"{number}", is_typing=False)
    errors = [await sitter.expect("error") for _ in range(130 - 119 - int((time.monotonic() - began) * 2) - 3)]

    assert {told.data.code for told in errors} == {"RATE_LIMITED"}
    assert errors[0].data.retry_after_ms > 0
    refs = [int(told.ref or -1) for told in errors]
    assert refs == sorted(refs)
    assert refs[0] >= 119


async def test_the_sixth_socket_of_a_user_replaces_the_oldest(strict: Place) -> None:
    rooms = [strict.server.create_session(), strict.server.create_session()]
    guest = strict.guest()
    sockets = [await strict.sit(rooms[number % 2].id, token=guest.token) for number in range(6)]

    assert await sockets[0].closed() == 4507
    await asyncio.gather(*(sitter.until_now() for sitter in sockets[1:]))
    people = strict.server.http("GET", f"/api/sessions/{rooms[0].id}/participants").data
    assert [(person["is_present"], person["left_at"]) for person in people] == [(True, None)]


async def test_where_nothing_is_counted_one_may_say_what_one_likes(quick: Place) -> None:
    room = quick.server.create_session()
    sockets = [await quick.sit(room.id, user_id="a") for _ in range(7)]

    for _ in range(130):
        await sockets[0].send("typing", is_typing=False)
    for number in range(20):
        await sockets[0].say(f"{number}")

    assert all("error" not in [told.event for told in sitter.heard] for sitter in sockets)
    assert "error" not in await sockets[-1].names_until_now()
