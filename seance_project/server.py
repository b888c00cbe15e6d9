"""seance_project: uvicorn with our flags: the socket it listens on, its start, its drain, its exit code."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import gc
import math
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn

from seance_project import drain
from seance_project.env import Env

DRAIN_MARGIN = 2  # seconds for hooks beyond their own window
UNSENT_BYTES = 65_536  # of one connection, in the kernel; what is more waits where it is counted
# New objects that are not gone, until garbage is looked for among them, which takes a tenth of a millisecond; how often
# that is done until it is done among the survivors, and how often this until it is done among all: after a million.
COLLECT_AFTER = (2_000, 10, 50)
GIVE_BACK_TICKS = 300  # of a tenth of a second, where few are connected
FEW = 200  # connections; 76 objects each
CLOSE_SECONDS = 5  # for what is still open after the drain
M_ARENA_MAX = -8  # malloc.h


class CannotListen(Exception):
    """The address cannot be listened on. Its text is one line for the person who started the server."""


def listen_on(host: str, port: int, *, env: Env, share: bool = False) -> socket.socket:
    """A bound TCP socket. With `share`, several processes each have one for the same port (SO_REUSEPORT).

    Workers do not share one socket: whoever is first at accept() would get nearly all of the long-lived connections,
    while the kernel spreads them evenly over sockets.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise CannotListen(f"HOST: {host!r} is no address or name of this machine.") from None
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6 and host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Inherited by every connection: a peer that takes nothing any more is cut off by the kernel, since the
            # server's own send() and close() would wait for it for ever.
            patience = max(20.0, 2 * env.outbound_max_seconds)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, math.ceil(patience * 1000))
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # Inherited too: the kernel would take megabytes for a reader that stopped, which then lags unnoticed.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        listener.bind(address)
        listener.set_inheritable(False)
    except OSError as error:
        listener.close()
        reason = {
            errno.EADDRINUSE: f"PORT: {port} is taken on {host}; choose another with --port.",
            errno.EACCES: f"PORT: {port} needs more rights than this user has.",
            errno.EADDRNOTAVAIL: f"HOST: {host!r} is no address of this machine.",
        }.get(error.errno or 0, f"HOST, PORT: {host}:{port} cannot be listened on ({error.strerror}).")
        raise CannotListen(reason) from None
    return listener


def configuration(env: Env) -> uvicorn.Config:
    """The flags, each of which is a decision."""
    from seance_project.doorman import HttpProtocol  # it needs Django's settings

    return uvicorn.Config(
        "seance_project.asgi:application",
        loop="uvloop",
        http=HttpProtocol,  # uvicorn's httptools, which lets nobody in who knocks too often
        ws="realtime.outlet:WebSocketProtocol",  # uvicorn's websockets-sansio, open to the hub
        lifespan="on",
        ws_max_size=65_536,  # the protocol's own limit is lower, and is answered with an error in place of a close
        ws_ping_interval=env.ping_seconds,
        ws_ping_timeout=env.ping_seconds,
        ws_per_message_deflate=False,  # a compressor per socket costs more memory than all the rest of it
        log_config=None,  # logs.py has it
        access_log=False,
        proxy_headers=False,  # addresses are counted from TRUSTED_PROXY_COUNT, by ourselves
        server_header=False,
        timeout_keep_alive=65,  # longer than a load balancer's 60 s, or it reuses connections that we just closed
        timeout_graceful_shutdown=CLOSE_SECONDS,
        backlog=2048,
    )


class Server(uvicorn.Server):
    """Drains before it closes sockets, says when it listens, and ends with 0 when told to stop."""

    def __init__(self, env: Env, *, announce: Callable[[], None] | None = None) -> None:
        super().__init__(configuration(env))
        self.env = env
        self.announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What was loaded stays. Else each full collection walks through all of it, 70 ms and more, and everybody waits.
        gc.freeze()
        # Django leaves a circle of three objects for each query that it compiles: up to 4.5 MB with the 50,000 of
        # `manage.py`, which are for loading.
        gc.set_threshold(*COLLECT_AFTER)
        if self.started and self.announce:
            self.announce()

    async def on_tick(self, counter: int) -> bool:
        """Uvicorn's clock. With 35 connections giving back takes 8 ms; with 4,800 it takes 230, for which everybody
        would wait, and what there is to give back is little beside what such a server keeps."""
        is_due = counter % GIVE_BACK_TICKS == GIVE_BACK_TICKS - 1
        if is_due and len(self.server_state.connections) <= FEW:
            give_back()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Uvicorn would close every socket at once; ours are first told when to come back."""
        draining = asyncio.ensure_future(drain.run(self.env.drain_seconds + DRAIN_MARGIN))
        while not draining.done() and not self.force_exit:
            await asyncio.wait([draining], timeout=0.1)
        draining.cancel()
        await super().shutdown(sockets)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def give_back() -> None:
    """Give back what is kept and not used, of which a server with little to do would have more and more for hours.

    That is in CPython's free lists up to 5 MB of tuples, which only a full collection empties, and in the C library's
    heap whatever was free between two pieces in use, after each peak.
    """
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def share_heap() -> None:
    """Let all threads take memory from one heap, where the C library is glibc and nobody has said otherwise.

    By default each database thread has one, which grows to the most that this thread ever needed, over hours, and gives
    nothing to the others. Python's lock keeps threads from asking at the same time.
    """
    if "MALLOC_ARENA_MAX" not in os.environ and "arena_max" not in os.environ.get("GLIBC_TUNABLES", ""):
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, 1)


def run(env: Env, listener: socket.socket, *, announce: Callable[[], None] | None = None) -> int:
    """Serve until told to stop; the exit code."""
    # Before the loop runs, and after it ended (uvicorn raises the signals it caught once more): a clean exit.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    share_heap()
    raise_file_limit()
    server = Server(env, announce=announce)
    try:
        server.run(sockets=[listener])
    except OSError as error:  # two servers bound the port in the same moment, and the other one listens
        if error.errno == errno.EADDRINUSE:
            raise CannotListen("PORT: it was taken while the server started.") from None
        raise
    return 0 if server.started else 1


def raise_file_limit() -> None:
    """As many connections as the system lets this user have: the usual soft limit of 1024 is for another age."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1_048_576 if hard == resource.RLIM_INFINITY else hard
    if soft != wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
