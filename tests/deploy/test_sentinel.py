"""Tests of deployment: the primary of three Sentinels is lost while people talk over two servers."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest
import redis

from seance_project.doctor.findings import Finding, State
from seance_project.doctor.redis import WORDS
from seance_project.doctor.redis import redis as check_redis
from seance_project.env import load
from tests.deploy.conftest import SETTINGS
from tests.deploy.redis import SENTINEL_PASSWORD, Watched
from tests.faults.crowd import Hall, Talk, closings, milliseconds, off_loop, open_halls, verdict
from tests.harness.plugin import MakeStack
from tests.harness.processes import wait_until
from tests.harness.records import spread
from tests.harness.server import Server

pytestmark = [pytest.mark.deploy, pytest.mark.services, pytest.mark.processes]
FULL_SPEED = 0.25  # seconds between two processes
BACK_SECONDS, FULL_SPEED_AGAIN = 15, 10


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_lost_primary_delays_and_loses_nothing_and_everybody_goes_to_the_next_one(
    make_stack: MakeStack, watched: Watched, rng: random.Random, how: str
) -> None:
    stack = make_stack(own_redis=False, REDIS_URL=watched.url, **SETTINGS)
    servers = [await off_loop(stack.server) for _ in range(2)]
    halls = await open_halls(servers, halls=3, people=6, only=True, rng=rng)
    talk = Talk(halls, per_second=40, rng=rng)
    await asyncio.sleep(2)

    lost = time.monotonic()
    await off_loop(watched.primary.kill9 if how == "killed" else watched.primary.freeze)
    well = max([await off_loop(until_well, server) for server in servers])
    await asyncio.sleep(max(0.0, lost + BACK_SECONDS - well))
    if how == "frozen":  # it wakes up, and believes itself the primary for a while
        await off_loop(watched.primary.thaw)
    healed = time.monotonic()
    await asyncio.sleep(6)
    await talk.stop()
    stored = await verdict(stack, halls)

    slow = [said_at for said_at, delay in across(halls) if said_at >= lost and delay > FULL_SPEED]
    before = [delay for said_at, delay in across(halls) if said_at < lost]
    away = [delay for said_at, delay in across(halls) if lost <= said_at < healed]
    after = [delay for said_at, delay in across(halls) if said_at >= healed]
    print(
        f"\n{how}: {stored} stored, 0 lost; across {milliseconds(before)} (p50 / p99 / max) before,"
        f" {milliseconds(away)} meanwhile, {milliseconds(after)} after; at full speed again after"
        f" {max(slow, default=lost) - lost:.1f} s, health connected after {well - lost:.1f} s"
    )
    assert closings(halls) == []
    assert spread(away)[2] <= 6
    assert max(slow, default=lost) - lost < FULL_SPEED_AGAIN
    assert spread(after)[1] <= FULL_SPEED
    found = list(check_redis(load({"REDIS_URL": watched.url, "VAR_DIR": str(stack.work)})))
    assert [one for one in found if one.state == State.WRONG] == []
    assert f"agree on the primary at 127.0.0.1:{watched.replica.port}" in {one.said for one in found}


def across(halls: list[Hall]) -> list[tuple[float, float]]:
    """When a message was said, and how long it took to each who sits at another server."""
    return [
        (receipt.at - delay, delay)
        for hall in halls
        for author, peer, receipt, delay in hall.delays
        if author.addresses != peer.addresses
    ]


def until_well(server: Server) -> float:
    """Until everything is reached again; when that was."""

    def is_well() -> bool:
        body = server.http("GET", "/health/ready").body
        return (body["cache"], body["channel_layer"]) == ("connected", "connected")

    wait_until(is_well, timeout=BACK_SECONDS, what="Redis is not reached again", every=0.1)
    return time.monotonic()


def test_the_doctor_looks_at_each_sentinel_and_one_right_of_theirs_is_enough(watched: Watched, tmp_path: Path) -> None:
    for one in watched.sentinels:
        with redis.Redis(port=one.port, password=SENTINEL_PASSWORD) as link:
            link.execute_command("ACL", "SETUSER", "seance", "on", ">few", "-@all", "+sentinel|masters")
    url = watched.url.replace(
        f"?sentinel_password={SENTINEL_PASSWORD}", "?sentinel_username=seance&sentinel_password=few"
    )
    hosts, rest = url.split("@")[1].split("/", 1)

    def found(url: str) -> list[Finding]:
        return [one for one in check_redis(load({"REDIS_URL": url, "VAR_DIR": str(tmp_path)})) if one.state != State.OK]

    assert found(url) == []
    (alone,) = found(url.replace(hosts, hosts.split(",")[0]))
    assert (alone.topic, alone.state, alone.said) == (
        "Sentinels",
        State.WARNING,
        "are 1: less than 3 cannot outvote one",
    )
    unknown = found(url.replace("/house/", "/mansion/"))
    assert [one.said.split(" ", 1)[1] for one in unknown[:3]] == ["does not know the service"] * 3
    assert unknown[3:] == [Finding("Redis", State.WRONG, *WORDS["no_primary"])]
    watched.sentinels[0].kill9()
    (away,) = found(url)
    assert (away.state, away.said) == (State.WRONG, f"127.0.0.1:{watched.sentinels[0].port} cannot be reached")
    assert "few" not in str([alone, unknown, away])
