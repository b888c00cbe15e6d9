"""Tests of webhooks: the outbox, the queue, signatures, and the targets that are refused."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now

from sessions_app import events, outbox
from sessions_app.errors import Code, SeanceError
from sessions_app.inputs import CreateSession
from sessions_app.models import (
    AuditEntry,
    DeliveryState,
    SpiritTurn,
    User,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from sessions_app.services.messages import delete_message
from sessions_app.services.sessions import create_session, end_session
from sessions_app.services.turns import cancel_question, fail
from sessions_app.services.webhooks import endpoints, queue
from sessions_app.webhooks import sending
from sessions_app.webhooks.sending import Outcome, Sender
from sessions_app.webhooks.signing import headers, new_secret
from sessions_app.webhooks.targets import Forbidden, check_url
from tests.docs.pages import OPERATIONS, blocks
from tests.services.helpers import hang_up, make_account, make_process, make_session, say, sit, with_settings
from tests.services.turns.steps import reply, take

GOOD = Outcome(True, 200, "", 0.1)
BAD = Outcome(False, 500, "refused", 0.1)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    outbox.forget()
    yield
    outbox.forget()


@pytest.fixture
def root(db: None) -> User:
    return make_account("Root", is_superuser=True, is_staff=True)


@pytest.fixture
def endpoint(root: User) -> WebhookEndpoint:
    row, _ = endpoints.create_endpoint(actor=root, name="Ours", url="https://hooks.example.org/in", kinds=["*"])
    outbox.forget()
    return row


def kinds() -> list[str]:
    return list(WebhookEvent.objects.order_by("at", "seq").values_list("kind", flat=True))


# --- The outbox -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_where_nobody_listens_nothing_is_written() -> None:
    ada = make_account("Ada")
    room = make_session(ada)
    sit(room, make_process(), ada)

    say(room, ada)

    assert not WebhookEvent.objects.exists()


def test_what_happens_in_a_room_is_in_the_outbox(endpoint: WebhookEndpoint) -> None:
    ada = make_account("Ada")
    told, _, _ = create_session(actor=ada, values=CreateSession(name="Friday"))
    room = make_session(ada)
    sit(room, make_process(), ada)
    posted = say(room, ada)
    delete_message(actor=ada, session_id=room.id, message_id=posted.message.id)
    hang_up(room, ada)
    end_session(actor=ada, session_id=room.id)

    assert sorted(kinds()) == sorted(
        ["session.created", "presence.joined", "message.created", "message.deleted", "presence.left", "session.ended"]
    )
    assert WebhookEvent.objects.get(kind="session.created").session == told.id


def test_what_becomes_of_a_question_is_told(endpoint: WebhookEndpoint) -> None:
    ada = make_account("Ada")
    room = make_session(ada, spirit_mode="open", spirit_pace="instant")
    sit(room, make_process(), ada)
    WebhookEvent.objects.all().delete()
    say(room, ada, "Who are you?")
    reply(take(room), "A friend.")
    say(room, ada, "Where are you?")
    turn = take(room)
    fail(session_id=room.id, turn_id=turn.turn_id, attempt=turn.attempt, code=Code.SPIRIT_ERROR)
    say(room, ada, "When were you?")
    asked = SpiritTurn.objects.get(state="queued")
    cancel_question(actor=ada, session_id=room.id, turn_id=asked.id)

    told = {body["type"]: body["data"] for body in (json.loads(claim.body) for claim in claimed())}

    assert kinds() == [
        "message.created", "spirit.answered", "message.created", "spirit.failed", "message.created", "spirit.cancelled",
    ]  # fmt: skip
    assert told["spirit.answered"]["text"] == "A friend."
    assert (told["spirit.failed"]["turn_id"], told["spirit.failed"]["code"]) == (str(turn.turn_id), "SPIRIT_ERROR")
    assert (told["spirit.cancelled"]["turn_id"], told["spirit.cancelled"]["by"]) == (str(asked.id), str(ada.id))


def test_what_is_rolled_back_is_not_in_it(endpoint: WebhookEndpoint) -> None:
    ada = make_account("Ada")
    room = make_session(ada)
    sit(room, make_process(), ada)

    with suppress(ZeroDivisionError), transaction.atomic():
        say(room, ada)
        end_session(actor=ada, session_id=room.id)
        raise ZeroDivisionError

    assert kinds() == ["presence.joined"]


# --- The queue --------------------------------------------------------------------------------------------------------


@pytest.fixture
def spoken(endpoint: WebhookEndpoint) -> WebhookEvent:
    ada = make_account("Ada")
    room = make_session(ada)
    sit(room, make_process(), ada)
    WebhookEvent.objects.all().delete()
    say(room, ada, "Good evening.")
    return WebhookEvent.objects.get()


def claimed() -> list[queue.Claim]:
    queue.spread()
    return queue.claim({})[0]


def test_a_delivery_is_claimed_once_and_has_the_message_as_it_was_told(spoken: WebhookEvent) -> None:
    (claim,) = claimed()

    body = json.loads(claim.body)
    assert (body["id"], body["type"]) == (str(spoken.id), "message.created")
    assert (body["data"]["text"], body["data"]["seq"]) == ("Good evening.", body["seq"])
    assert claimed() == []
    assert queue.settle(claim, GOOD) == "delivered"
    assert queue.settle(claim, GOOD) == "lost"


def test_whoever_is_killed_in_the_middle_leaves_it_to_be_claimed_anew_under_the_same_id(spoken: WebhookEvent) -> None:
    (first,) = claimed()
    WebhookDelivery.objects.update(next_at=Now())  # the lease is over

    (second,) = claimed()

    assert (second.event_id, second.body, second.attempt) == (first.event_id, first.body, first.attempt + 1)
    assert queue.settle(first, BAD) == "lost"
    assert queue.settle(second, GOOD) == "delivered"


def test_a_message_that_is_deleted_meanwhile_is_withdrawn(spoken: WebhookEvent) -> None:
    root = User.objects.get(name="Root")
    ada = User.objects.get(name="Ada")
    message = ada.messages.get()
    delete_message(actor=root, session_id=spoken.session, message_id=message.id)

    told = [json.loads(claim.body)["type"] for claim in claimed()]

    assert told == ["message.deleted"]
    assert WebhookDelivery.objects.get(event=spoken).state == DeliveryState.WITHDRAWN


def test_it_is_tried_eleven_times_over_a_day_and_can_be_sent_again(spoken: WebhookEvent, root: User) -> None:
    ends = []
    for _ in range(11):
        WebhookDelivery.objects.update(next_at=Now())
        (claim,) = claimed()
        ends.append(queue.settle(claim, BAD))

    assert ends == ["failed"] * 10 + ["given_up"]
    assert 20 * 3600 < sum(queue.DELAYS) * 0.9
    assert endpoints.replay(actor=root, deliveries=WebhookDelivery.objects.all()) == 1
    (again,) = claimed()
    assert again.event_id == spoken.id
    assert AuditEntry.objects.filter(act="replay_webhook").exists()


def fails_again(endpoint: WebhookEndpoint, *, failures: int, for_: timedelta) -> WebhookEndpoint:
    """One more failure of an endpoint that has had so many, for so long."""
    since = events.now() - for_
    WebhookEndpoint.objects.update(failures=failures, failing_since=since)
    WebhookDelivery.objects.update(next_at=Now())
    (claim,) = claimed()
    queue.settle(claim, BAD)
    endpoint.refresh_from_db()
    return endpoint


def test_a_day_in_which_nothing_went_through_disables_an_endpoint(
    spoken: WebhookEvent, endpoint: WebhookEndpoint
) -> None:
    young = fails_again(endpoint, failures=500, for_=timedelta(hours=23)).is_active
    seldom = fails_again(endpoint, failures=5, for_=timedelta(days=2)).is_active
    old = fails_again(endpoint, failures=9, for_=timedelta(hours=25))

    assert (young, seldom, old.is_active) == (True, True, False)
    assert old.reason == "10 tries failed over a day"
    assert AuditEntry.objects.get(act="disable_webhook").details == {"failures": 10}
    assert claimed() == []


def test_one_success_makes_an_endpoint_well(spoken: WebhookEvent, endpoint: WebhookEndpoint) -> None:
    WebhookEndpoint.objects.update(failures=9, failing_since=events.now() - timedelta(days=2))
    (claim,) = claimed()

    queue.settle(claim, GOOD)

    endpoint.refresh_from_db()
    assert (endpoint.failures, endpoint.failing_since, endpoint.is_active) == (0, None, True)


def test_an_endpoint_that_is_made_active_again_goes_on_with_what_waits(
    spoken: WebhookEvent, endpoint: WebhookEndpoint, root: User
) -> None:
    fails_again(endpoint, failures=9, for_=timedelta(hours=25))
    WebhookDelivery.objects.update(next_at=Now())

    endpoints.update_endpoint(
        actor=root, endpoint_id=endpoint.id, name="Ours", url=endpoint.url, kinds=["*"], is_active=True
    )

    assert [claim.event_id for claim in claimed()] == [spoken.id]


def test_an_endpoint_that_is_gone_is_disabled(spoken: WebhookEvent, endpoint: WebhookEndpoint) -> None:
    (claim,) = claimed()

    queue.settle(claim, BAD._replace(status=410, is_gone=True))

    endpoint.refresh_from_db()
    assert not endpoint.is_active
    assert AuditEntry.objects.filter(act="disable_webhook", actor=None, target=endpoint.id).exists()


def test_a_rotated_secret_signs_beside_the_one_before(endpoint: WebhookEndpoint, root: User) -> None:
    (before,) = endpoints.good_secrets(endpoint)

    secret = endpoints.rotate_secret(actor=root, endpoint_id=endpoint.id)

    endpoint.refresh_from_db()
    assert endpoints.good_secrets(endpoint) == [secret, before]
    assert secret not in endpoint.secret


@pytest.mark.django_db
def test_only_a_superuser_makes_an_endpoint() -> None:
    with pytest.raises(SeanceError, match="FORBIDDEN"):
        endpoints.create_endpoint(actor=make_account(is_staff=True), name="x", url="https://a.example", kinds=["*"])


# --- Signatures and targets -------------------------------------------------------------------------------------------


def test_the_signature_is_that_of_standard_webhooks() -> None:
    secret = new_secret()

    found = headers([secret], "msg_1", 1_700_000_000, b"{}")

    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, b"msg_1.1700000000.{}", hashlib.sha256).digest()).decode()
    assert found == {
        "webhook-id": "msg_1", "webhook-timestamp": "1700000000", "webhook-signature": f"v1,{expected}",
    }  # fmt: skip


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://[::1]/", "https://0.0.0.0/", "https://10.1.2.3/", "https://169.254.169.254/",
        "https://100.64.0.1/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:a9fe:a9fe]/", "https://2130706433/",
        "https://0x7f.1/", "https://0177.0.0.1/", "https://127.1/", "https://[fe80::1]/", "https://[fd00::1]/",
        "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://localhost/", "https://redis/",
        "https://metadata.google.internal/", "https://user:secret@example.org/", "ftp://example.org/", "https://",
        "https://example.org:0/", "https://example.org/#x", "https://exa mple.org/", "https://224.0.0.1/",
        "https://127.0.0.1./", "https://localhost./",
    ],
)  # fmt: skip
def test_a_target_inside_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        check_url(url)


def test_production_wants_https(settings: Any) -> None:
    settings.SEANCE = with_settings(environment="production")

    assert check_url("https://hooks.example.org/in")
    with pytest.raises(Forbidden):
        check_url("http://hooks.example.org/in")


# --- Requests, to a server on the loopback ----------------------------------------------------------------------------


class Met:
    """Who came to a target."""

    def __init__(self) -> None:
        self.connections, self.port = 0, 0
        self.tasks: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def a_target(
    answer: Callable[[asyncio.StreamWriter], Awaitable[None]], host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Met]:
    """A server that does as it likes with whoever comes; it tells whom it met, and what it could get rid of."""
    met = Met()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.connections += 1
        task = asyncio.current_task()
        assert task is not None
        met.tasks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
            writer.write_eof()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()
            writer.close()

    server = await asyncio.start_server(handle, host, port)
    met.port = server.sockets[0].getsockname()[1]
    try:
        yield met
    finally:
        server.close()
        for task in met.tasks:
            task.cancel()
        await asyncio.gather(*met.tasks, return_exceptions=True)
        await asyncio.sleep(0)


def endlessly(begin: bytes, piece: bytes, pause: float = 0) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


def once(answer: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return write


async def ask(answer: bytes) -> tuple[Outcome, int]:
    """What became of a POST to a server that answers so; and how many connections it got."""
    sender = Sender()
    async with a_target(once(answer)) as met:
        outcome = await sender.post(f"http://127.0.0.1:{met.port}/in", {"host": "x"}, b"{}")
        await sender.aclose()
    return outcome, met.connections


async def test_a_name_that_means_the_inside_is_not_connected_to() -> None:
    outcome, met = await ask(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    assert (outcome.is_delivered, met) == (False, 0)
    assert "public Internet" in outcome.error


@pytest.mark.parametrize(
    ("answer", "is_delivered", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True, 204),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", False, 302),
        (b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", False, 410),
        (b"\x00\xff garbage \r\n\r\n", False, None),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 300_000, False, None),
        (b"", False, None),
    ],
    ids=["good", "redirect", "gone", "garbage", "huge-head", "nothing"],
)
async def test_what_a_target_answers_is_an_outcome(
    settings: Any, answer: bytes, is_delivered: bool, status: int | None
) -> None:
    settings.SEANCE = with_settings(webhook_allow_internal=True)

    outcome, _ = await ask(answer)

    assert (outcome.is_delivered, outcome.status) == (is_delivered, status)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n", b"x" * 60_000),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 2000),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 2000),
        (b"HTTP/1.1 200 OK\r\n", b"x-more: of it\r\n" * 2000),
    ],
    ids=["body", "chunks", "interim", "head"],
)
async def test_of_an_answer_without_end_little_is_read(settings: Any, begin: bytes, piece: bytes) -> None:
    settings.SEANCE = with_settings(webhook_allow_internal=True)
    sender, read = Sender(), 0
    reading = sending._Metered.read

    async def counting(self: sending._Metered, max_bytes: int, timeout: float | None = None) -> bytes:
        nonlocal read
        found = await reading(self, max_bytes, timeout)
        read += len(found)
        return found

    began = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending._Metered, "read", counting)
        async with a_target(endlessly(begin, piece)) as met:
            await sender.post(f"http://127.0.0.1:{met.port}/", {"host": "x"}, b"{}")
            await sender.aclose()

    assert 0 < read < sending.WIRE_MAX + sending.AT_ONCE
    assert time.monotonic() - began < sending.DEADLINE / 2


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"], ids=["head", "body"])
async def test_an_answer_that_drips_ends_with_the_deadline(
    settings: Any, monkeypatch: pytest.MonkeyPatch, begin: bytes
) -> None:
    settings.SEANCE = with_settings(webhook_allow_internal=True)
    monkeypatch.setattr(sending, "DEADLINE", 0.3)
    sender = Sender()

    async with a_target(endlessly(begin, b"1\r\nx\r\n" if begin else b"H", pause=0.05)) as met:
        outcome = await sender.post(f"http://127.0.0.1:{met.port}/", {"host": "x"}, b"{}")
        await sender.aclose()

    assert (outcome.is_delivered, outcome.status) == (False, None)
    assert "no answer within" in outcome.error
    assert outcome.seconds < 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_leads_nowhere(settings: Any, status: int) -> None:
    settings.SEANCE = with_settings(webhook_allow_internal=True)
    sender = Sender()

    async with a_target(once(b"")) as inside:
        answer = f"HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:{inside.port}/\r\ncontent-length: 0\r\n\r\n"
        async with a_target(once(answer.encode())) as outside:
            outcome = await sender.post(f"http://127.0.0.1:{outside.port}/", {"host": "x"}, b"{}")
            await sender.aclose()

    assert (outcome.status, outcome.is_delivered, outside.connections, inside.connections) == (status, False, 1, 0)


# 127.0.0.2 plays an address of the public Internet, 127.0.0.1 one of the inside; the names are the test's own.
OUTSIDE, INSIDE = "127.0.0.2", "127.0.0.1"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What a name means, from one question to the next; whoever asks, the last answer is given again."""
    found: dict[str, list[list[str]]] = {}
    look_up = socket.getaddrinfo

    def answer(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in found:
            return look_up(host, port, *args, **kwargs)
        meant = found[host].pop(0) if len(found[host]) > 1 else found[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in meant]

    def check(text: str) -> Any:
        if text == INSIDE:
            raise Forbidden("the address is not one of the public Internet")
        return ipaddress.ip_address(text)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setattr(sending, "check_address", check)
    return found


GONE_WELL = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


async def rebound(
    means: list[list[str]], names: dict[str, list[list[str]]], posts: int
) -> tuple[list[Outcome], int, int]:
    """What became of posts to a name that means this and then that; and whom outside and inside met."""
    names["rebinding.example.org"] = means
    sender = Sender()
    async with a_target(once(GONE_WELL), OUTSIDE) as outside:
        async with a_target(once(GONE_WELL), INSIDE, outside.port) as inside:
            url = f"http://rebinding.example.org:{outside.port}/"
            outcomes = [await sender.post(url, {"host": "x"}, b"{}") for _ in range(posts)]
            await sender.aclose()
    return outcomes, outside.connections, inside.connections


async def test_a_name_that_means_the_inside_a_moment_later_is_connected_to_where_it_was_looked_at(
    names: dict[str, list[list[str]]],
) -> None:
    outcomes, outside, inside = await rebound([[OUTSIDE], [INSIDE]], names, posts=2)

    assert [one.is_delivered for one in outcomes] == [True, False]
    assert "public Internet" in outcomes[1].error
    assert (outside, inside) == (1, 0)


async def test_a_name_that_means_the_outside_and_the_inside_is_not_connected_to(
    names: dict[str, list[list[str]]],
) -> None:
    (outcome,), outside, inside = await rebound([[OUTSIDE, INSIDE]], names, posts=1)

    assert (outcome.is_delivered, outside, inside) == (False, 0, 0)


def test_the_check_of_the_documentation_knows_ours_from_forgeries() -> None:
    (snippet,) = (block.text for block in blocks(OPERATIONS) if "def is_genuine" in block.text)
    found: dict[str, Any] = {}
    exec(snippet, found)  # noqa: S102  our own page
    is_genuine, secret, body = found["is_genuine"], new_secret(), b'{"type": "session.ended"}'
    sent = headers([new_secret(), secret], "msg_1", int(time.time()), body)
    old = headers([secret], "msg_1", int(time.time()) - 600, body)

    assert is_genuine(secret, sent, body)
    assert not is_genuine(secret, sent, body + b" ")
    assert not is_genuine(secret, sent | {"webhook-id": "msg_2"}, body)
    assert not is_genuine(new_secret(), sent, body)
    assert not is_genuine(secret, old, body)
