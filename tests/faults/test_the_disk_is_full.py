"""Tests of what can go wrong: the disk under SQLite fills up."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crowd import off_loop, open_halls, verdict
from tests.faults.figures import Tell
from tests.harness.checker import check
from tests.harness.plugin import MakeStack
from tests.harness.records import read_log

pytestmark = [pytest.mark.processes, pytest.mark.embedded, pytest.mark.faults_fast]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB of its own."""
    point = tmp_path / "disk"
    point.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "seance-test", str(point)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    if not mounted:
        pytest.skip("needs the right to mount a small tmpfs")
    yield point
    subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.mark.row("SQLite's disk full", "no ack without a row; recovers without a restart")
async def test_a_full_disk_refuses_and_recovers(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell, small_disk: Path
) -> None:
    stack = make_stack()
    source = Path(stack.database_url.removeprefix("sqlite:///"))
    moved = small_disk / source.name
    await off_loop(shutil.copy, source, moved)
    stack.database_url = f"sqlite:///{moved}"
    server = await off_loop(stack.server)
    (hall,) = await open_halls([server], halls=1, people=3, rng=rng)
    talker, *_ = hall.clients
    await asyncio.gather(*(talker.send(f"before {number}", timeout=20) for number in range(20)))

    ballast = small_disk / "ballast"
    _fill(ballast)
    waiting = [hall.say(client, "x" * 500, f"{client.name}-full-{n}") for client in hall.clients for n in range(60)]
    await asyncio.sleep(6 if full else 3)
    refused = [item for client in hall.clients for item in client.log.refusals]
    acked = sum(future.done() for future in waiting)
    check(await off_loop(read_log, stack, hall.id), [client.log for client in hall.clients], complete=False)
    ballast.unlink()
    await asyncio.wait_for(asyncio.gather(*waiting), 30)
    await asyncio.gather(*(talker.send(f"after {number}", timeout=20) for number in range(20)))
    assert server.alive
    await verdict(stack, [hall])

    codes = {item.code for item in refused}
    tell(f"{len(refused)} tries refused with {codes}, {acked} of {len(waiting)} acked while full, each with a row")
    tell("all stored once after space was made; no restart")
    assert refused
    assert codes == {"UNAVAILABLE"}
    assert all(item.retryable for item in refused)
    assert acked < len(waiting)


def _fill(ballast: Path) -> None:
    """Write until nothing fits any more."""
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 512):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
