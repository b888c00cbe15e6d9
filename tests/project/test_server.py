"""Tests of what `serve` is made of: the socket, the drain, the workers, the lock."""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from seance_project import drain, lock, server
from seance_project.doorman import HttpProtocol
from seance_project.env import Env, load
from seance_project.management.commands.serve import base_url
from tests.project.helpers import ROOT, environment

SUPERVISE = """
import sys
from seance_project import logs, workers
logs.configure(level="ERROR", as_json=True)
workers.RESTART_PAUSE = 0.05
sys.exit(workers.Supervisor([sys.executable, "-c", sys.argv[1]], 2).run())
"""
WORKER = """
import os, signal, sys, time
from seance_project import workers
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
workers.follow_supervisor()
print(workers.worker_index(), os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def env(tmp_path: Path) -> Env:
    return load({"VAR_DIR": str(tmp_path)}, env_file=Path(os.devnull))


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    registered: list[Any] = []
    monkeypatch.setattr(drain, "_hooks", registered)
    return registered


def test_the_kernel_cuts_off_a_peer_that_takes_nothing(env: Env) -> None:
    with server.listen_on("127.0.0.1", 0, env=env) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000


def test_several_processes_can_share_a_port_but_no_stranger_can(env: Env) -> None:
    with server.listen_on("127.0.0.1", 0, env=env, share=True) as first:
        first.listen()
        port = first.getsockname()[1]
        with server.listen_on("127.0.0.1", port, env=env, share=True):
            with pytest.raises(server.CannotListen, match="is taken"):
                server.listen_on("127.0.0.1", port, env=env)


def test_flags_of_the_server(env: Env) -> None:
    config = server.configuration(env)

    config.load()

    assert issubclass(cast(type, config.ws_protocol_class), WebSocketsSansIOProtocol)
    assert (config.ws_per_message_deflate, config.ws_max_size) == (False, 65_536)
    assert (config.ws_ping_interval, config.ws_ping_timeout) == (20, 20)
    assert (config.loop, config.http, config.lifespan) == ("uvloop", HttpProtocol, "on")
    assert issubclass(HttpProtocol, HttpToolsProtocol)
    assert (config.access_log, config.proxy_headers, config.server_header) == (False, False, False)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:1"),  # noqa: S104
        ("::", "http://[::1]:1"),
        ("::1", "http://[::1]:1"),
        ("example.org", "http://example.org:1"),
    ],
)
def test_the_printed_url_can_be_opened(host: str, url: str) -> None:
    assert base_url(host, 1) == url


@pytest.fixture
def collections() -> Iterator[None]:
    """Leaves them as they were."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collections")
async def test_what_was_loaded_is_no_garbage_and_circles_that_come_are_looked_for_often(
    env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def listening(*_: object) -> None:
        """As far as uvicorn is concerned."""

    monkeypatch.setattr(uvicorn.Server, "startup", listening)
    gc.set_threshold(50_000)  # as `manage.py` does
    assert gc.get_freeze_count() == 0

    await server.Server(env).startup()
    kept = [list[int]() for _ in range(2 * server.COLLECT_AFTER[0])]

    assert gc.get_freeze_count() > 10_000
    assert gc.get_count()[0] < len(kept), "they have been looked at"


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.usefixtures("collections")
async def test_what_python_keeps_of_tuples_is_given_back_from_time_to_time(env: Env) -> None:
    uvicorn_server = server.Server(env)
    uvicorn_server.config.load()
    others = cast("set[Any]", uvicorn_server.server_state.connections)
    gc.freeze()
    gc.collect()
    kept = [(n,) * 9 for n in range(1500)]
    kept.clear()
    full = sys.getallocatedblocks()

    for tick in range(1, server.GIVE_BACK_TICKS - 1, 7):
        await uvicorn_server.on_tick(tick)
    others |= set(range(server.FEW + 1))
    await uvicorn_server.on_tick(server.GIVE_BACK_TICKS - 1)
    assert sys.getallocatedblocks() > full - 500, "neither before its time, nor while many would wait"
    others.clear()
    await uvicorn_server.on_tick(server.GIVE_BACK_TICKS - 1)

    assert sys.getallocatedblocks() < full - 1200


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is of glibc")
def test_holes_in_the_heap_are_given_back() -> None:
    before = resident_bytes()
    pieces = [bytes(4000) for _ in range(10_000)]
    last = pieces[-1]
    pieces.clear()
    kept = resident_bytes() - before
    server.give_back()

    assert kept > 20 * 2**20, "the last piece holds the heap where it is"
    assert resident_bytes() - before < kept / 4
    assert len(last) == 4000


def test_hooks_drain_together_and_a_failing_one_hinders_nobody(hooks: list[Any]) -> None:
    done: list[str] = []

    @drain.on_drain
    async def _slow() -> None:
        await asyncio.sleep(0.05)
        done.append("slow")

    @drain.on_drain
    async def _failing() -> None:
        raise RuntimeError("no")

    begun = time.monotonic()
    asyncio.run(drain.run(5))

    assert done == ["slow"]
    assert time.monotonic() - begun < 1


def test_a_hook_that_hangs_is_left_behind(hooks: list[Any]) -> None:
    cancelled = threading.Event()

    @drain.on_drain
    async def _hanging() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    begun = time.monotonic()
    asyncio.run(drain.run(0.05))

    assert time.monotonic() - begun < 1
    assert cancelled.is_set()


def supervise(code: str, tmp_path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SUPERVISE, code]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def read_workers(process: subprocess.Popen[str], count: int) -> dict[int, int]:
    """Index -> pid, as the workers print them."""
    assert process.stdout
    lines = [process.stdout.readline().split() for _ in range(count)]
    return {int(index): int(pid) for index, pid in lines}


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.processes
def test_a_killed_worker_is_replaced_under_its_index_and_all_stop_together(tmp_path: Path) -> None:
    with supervise(WORKER, tmp_path) as supervisor:
        first = read_workers(supervisor, 2)
        os.kill(first[1], signal.SIGKILL)
        replaced = read_workers(supervisor, 1)
        supervisor.terminate()
        code = supervisor.wait(10)

    assert sorted(first) == [0, 1]
    assert list(replaced) == [1]
    assert code == 0
    assert all(gone(pid) for pid in (first[0], replaced[1]))


@pytest.mark.processes
def test_workers_do_not_outlive_a_killed_supervisor(tmp_path: Path) -> None:
    with supervise(WORKER, tmp_path) as supervisor:
        pids = read_workers(supervisor, 2)
        supervisor.kill()
        supervisor.wait(10)

        assert all(gone(pid) for pid in pids.values())


@pytest.mark.processes
def test_workers_that_cannot_start_end_the_server(tmp_path: Path) -> None:
    with supervise("import sys; sys.exit(3)", tmp_path) as supervisor:
        assert supervisor.wait(10) == 3


def test_the_lock_is_taken_once_per_process_and_not_with_redis(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[IO[str]] = []
    monkeypatch.setattr(lock, "_held", held)
    with_redis = load({"VAR_DIR": str(env.var), "REDIS_URL": "redis://host"}, env_file=Path(os.devnull))

    lock.hold_if_embedded(with_redis)
    assert held == []
    lock.hold_if_embedded(env)
    lock.hold_if_embedded(env)
    assert len(held) == 1
    assert (env.var / "seance.lock").read_text() == str(os.getpid())

    monkeypatch.setattr(lock, "_held", [])
    with pytest.raises(lock.AlreadyServed, match=str(os.getpid())):
        lock.hold_if_embedded(env)
    held[0].close()
