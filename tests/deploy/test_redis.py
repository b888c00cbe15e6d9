"""Tests of deployment: Redis by TLS, with the fewest rights, and what is said where it does not let us in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
import redis

from seance_project.doctor.findings import State
from seance_project.doctor.redis import redis as check_redis
from seance_project.env import load
from sessions_app.counters import Engine
from sessions_app.layers import PubSubLayer
from sessions_app.redis_links import async_client
from sessions_app.spirits.cache import Cached
from sessions_app.spirits.redis_store import RedisLocks, RedisStore
from tests.deploy.conftest import SETTINGS
from tests.deploy.redis import Authority, TlsRedis, code_block
from tests.harness.client import RawClient
from tests.harness.plugin import MakeStack
from tests.harness.processes import ROOT, free_port
from tests.harness.server import Server, Stack
from tests.harness.services import Redis

pytestmark = [pytest.mark.deploy, pytest.mark.services, pytest.mark.processes]
OPERATIONS = ROOT / "docs" / "operations.md"
LOUD = ("unreachable", "redis_away", "channel_layer_unavailable", "limits_without_redis")


class Place(NamedTuple):
    """A Redis, if one runs, and how REDIS_URL names it."""

    server: Redis | None
    url: str


def away(work: Path) -> Place:
    return Place(None, f"redis://:a-secret@127.0.0.1:{free_port()}/0")


def behind_a_password(work: Path) -> Place:
    server = Redis(work)
    server.command += ["--requirepass", "another"]
    return Place(server, server.url.replace("://", "://:a-secret@"))


def by_tls(work: Path, *, days: int = 7, host: str = "IP:127.0.0.1", asks: bool = False) -> tuple[TlsRedis, Authority]:
    authority = Authority(work / "ca")
    return TlsRedis(work, authority, authority.certificate("redis", days=days, host=host), asks=asks), authority


def expired(work: Path) -> Place:
    server, authority = by_tls(work, days=-1)
    return Place(server, f"{server.url}?ssl_ca_certs={authority.file}")


def of_an_unknown_authority(work: Path) -> Place:
    server, _ = by_tls(work)
    return Place(server, f"{server.url}?ssl_ca_certs={Authority(work / 'other').file}")


def of_another_host(work: Path) -> Place:
    server, authority = by_tls(work, host="DNS:elsewhere.example")
    return Place(server, f"{server.url}?ssl_ca_certs={authority.file}")


def asking_for_a_certificate(work: Path) -> Place:
    server, authority = by_tls(work, asks=True)
    return Place(server, f"{server.url}?ssl_ca_certs={authority.file}")


def without_tls(work: Path) -> Place:
    server = Redis(work)
    return Place(server, server.url.replace("redis://", "rediss://"))


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[Redis], None]]:
    """Start a Redis that ends with the test."""
    started: list[Redis] = []

    def start(server: Redis) -> None:
        started.append(server)
        server.start()

    yield start
    for server in started:
        server.kill9()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (away, {"unreachable"}),
        (behind_a_password, {"wrong_password"}),
        (expired, {"certificate_expired"}),
        (of_an_unknown_authority, {"certificate_not_trusted"}),
        (of_another_host, {"certificate_of_another_host"}),
        (asking_for_a_certificate, {"certificate_required", "unreachable"}),  # it hangs up in saying so
        (without_tls, {"timeout"}),  # it waits for the end of the line
    ],
)
def test_a_redis_that_does_not_let_us_in_is_told_once_and_people_go_on_talking(
    make_stack: MakeStack,
    run: Callable[[Redis], None],
    tmp_path: Path,
    make: Callable[[Path], Place],
    why: set[str],
) -> None:
    place = make(tmp_path / "redis")
    if place.server is not None:
        run(place.server)
    stack: Stack = make_stack(own_redis=False, REDIS_URL=place.url, **SETTINGS)
    server = stack.server()

    answers = [server.http("GET", path) for path in ("/health/ready", "/health", "/health/ready")]
    room = server.create_session()
    posted = server.http("POST", f"/api/sessions/{room.id}/messages", json={"text": "still"}, token=room.host_token)
    found = [one for one in check_redis(load({"REDIS_URL": place.url})) if one.state == State.WRONG]

    assert posted.status == 201
    for answer in answers:
        assert (answer.status, answer.body["status"]) == (200, "healthy")
        assert (answer.body["cache"], answer.body["channel_layer"]) == ("disconnected", "disconnected")
        assert list(answer.body["reasons"]) == ["cache", "channel_layer"]
        assert set(answer.body["reasons"].values()) <= why
    told = [line for line in server.said().splitlines() if any(f"] {event} " in line for event in LOUD)]
    subjects = [(line.split("] ", 1)[1].split()[0], line.split("what=")[-1]) for line in told if "what=" in line]
    assert len(subjects) == len(set(subjects)) or len(why) > 1, "each is said once"
    assert told
    assert all(any(f"reason={one}" in line for one in why) for line in told)
    assert "Traceback" not in server.said()
    assert "a-secret" not in server.said()
    assert len(found) == 1
    assert "a-secret" not in " ".join(found[0])
    assert stack.crashes() == []


@pytest.mark.parametrize("asks", [False, True])
async def test_messages_go_by_tls_with_and_without_a_certificate_of_ours(
    make_stack: MakeStack, run: Callable[[Redis], None], tmp_path: Path, *, asks: bool
) -> None:
    redis_server, authority = by_tls(tmp_path / "redis", asks=asks)
    run(redis_server)
    url = f"{redis_server.url}?ssl_ca_certs={authority.file}"
    if asks:
        certificate, key = authority.certificate("seance")
        url += f"&ssl_certfile={certificate}&ssl_keyfile={key}"

    await hear_each_other(make_stack(own_redis=False, REDIS_URL=url, HEAD_POLL_SECONDS="60", **SETTINGS))

    assert [one for one in check_redis(load({"REDIS_URL": url})) if one.state == State.WRONG] == []


class Few(NamedTuple):
    """A Redis with a user who has the rights of the documentation, and one who has all."""

    url: str
    rules: list[str]
    admin: redis.Redis

    def allow(self, rule: str) -> None:
        """Give a right, or take it away."""
        cast(Any, self.admin).execute_command("ACL", "SETUSER", "seance", rule)

    def refusals(self) -> set[str]:
        """What Redis forbade since the last time."""
        found = {str(one["object"]) for one in cast(Any, self.admin.acl_log())}
        self.admin.acl_log_reset()
        return found - {"client|setinfo"}  # an ornament


@pytest.fixture
def few(run: Callable[[Redis], None], tmp_path: Path) -> Iterator[Few]:
    server, users = Redis(tmp_path / "redis"), tmp_path / "users.acl"
    rules = " ".join(code_block(OPERATIONS, "user seance")).replace("…", "a-secret")
    users.write_text(f"user default off\nuser admin on >admin ~* &* +@all\n{rules}\n")
    server.command += ["--aclfile", str(users)]
    run(server)
    with redis.Redis(port=server.port, username="admin", password="admin", decode_responses=True) as admin:
        yield Few(server.url.replace("://", "://seance:a-secret@"), rules.split(), admin)


async def test_the_rights_of_the_documentation_are_enough_and_let_nothing_else_be_done(
    make_stack: MakeStack, few: Few
) -> None:
    await hear_each_other(make_stack(own_redis=False, REDIS_URL=few.url, HEAD_POLL_SECONDS="60", **SETTINGS))
    await use_everything(few.url)

    assert few.refusals() == set()
    assert [one for one in check_redis(load({"REDIS_URL": few.url})) if one.state != State.OK] == []
    with redis.Redis.from_url(few.url) as link:
        beyond: list[Callable[[], object]] = [
            lambda: link.get("another"), lambda: link.publish("another", ""), link.flushall, link.keys,
            lambda: link.config_set("maxmemory", 1),
        ]  # fmt: skip
        for attempt in beyond:
            with pytest.raises(redis.exceptions.NoPermissionError):
                attempt()


async def test_no_right_of_the_documentation_can_be_left_out(few: Few) -> None:
    needed = [rule for rule in few.rules if rule.startswith("+") and rule not in ("+info", "+config|get")]

    missed = {}
    for rule in needed:
        few.allow(f"-{rule[1:]}")
        few.admin.script_flush()
        with suppress(redis.RedisError, RuntimeError):
            await use_everything(few.url)
        missed[rule] = few.refusals()
        few.allow(rule)

    assert len(needed) > 10
    assert {rule: found for rule, found in missed.items() if rule[1:] not in found} == {}


async def use_everything(url: str) -> None:
    """All that is done with Redis, in this process: each part once."""
    layer = PubSubLayer(hosts=[url], prefix="seance")
    receiving = asyncio.create_task(layer.receive("seance.process.one"))
    try:
        await asyncio.sleep(0.05)
        with suppress(redis.RedisError):
            await layer.group_add("session.one", "seance.process.one")
            await layer.group_send_many({"session.one": {"type": "x"}})
            await layer.group_discard("session.one", "seance.process.one")
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)
        await layer.flush()
    link = async_client(url)
    store, locks = RedisStore(link), RedisLocks(link, lock_s=0.03)
    await store.put("key", Cached("A", ("a",), "one", "two"), 1)
    await store.get("key")
    async with locks("key"):
        await asyncio.sleep(0.03)
    with suppress(redis.RedisError):
        await link.ping()
    await link.aclose()
    await asyncio.to_thread(count, url)


def count(url: str) -> None:
    """Limits, over the end of a window."""
    engine = Engine(url)
    for _ in range(2):
        engine.hit("5/second", ("one",))
        engine.hit("1/second", ("one",))
    time.sleep(1.1)
    engine.hit("5/second", ("one",))
    engine.hit("1/second", ("one",))
    engine.forget("5/second", ("one",))


async def hear_each_other(stack: Stack) -> None:
    """People at two servers, long before either looks into the database; and nobody complains of Redis."""
    servers: list[Server] = [await asyncio.to_thread(stack.server) for _ in range(2)]
    room = await asyncio.to_thread(servers[0].create_session)
    sockets = [await RawClient.open(server.ws(room.id)) for server in servers]
    for number, socket in enumerate(sockets):
        await socket.join(name=f"person {number}")
    began = time.monotonic()
    await sockets[0].send("send_message", text="do you hear me?")
    await sockets[1].expect("message_received")
    took = time.monotonic() - began
    answers = [await asyncio.to_thread(server.http, "GET", "/health/ready") for server in servers]

    assert took < 1
    for answer in answers:
        assert (answer.body["cache"], answer.body["channel_layer"]) == ("connected", "connected")
        assert "reasons" not in answer.body
    for server in servers:
        assert [line for line in server.said().splitlines() if any(event in line for event in LOUD)] == []
    assert stack.crashes() == []
