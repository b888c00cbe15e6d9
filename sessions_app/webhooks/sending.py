"""sessions_app, webhooks: one request to one target, which may be slow, hostile or gone.

It has `DEADLINE` seconds for everything, is connected only to an address that was looked at, is never followed to
another one, and of its answer a few bytes are read. It knows nothing of rows: it gets a request and returns an outcome.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import httpcore2

from sessions_app.webhooks.targets import Address, Forbidden, check_address, check_url

DEADLINE = 10.0  # seconds for a name, a connection, the request and the answer together
ANSWER_MAX = 4 << 10  # bytes of an answer's body; the rest is not read
WIRE_MAX = 32 << 10  # bytes of an answer as it comes, interim answers and heads among them
AT_ONCE = 2 << 10  # bytes that are parsed without a break, in which everybody else of the process waits
CONNECTIONS = 400
KEPT = 50
RETRY_AFTER_MAX = 3600


class Outcome(NamedTuple):
    """How a try went. `retry_after` is in seconds, 0 where the target did not say."""

    is_delivered: bool
    status: int | None
    error: str
    seconds: float
    is_gone: bool = False
    retry_after: int = 0


class _Resolver:
    """Names to addresses. Each name is asked for once at a time, and in threads of our own: a dead name server keeps
    one of them for a target, and nobody else's."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(64, thread_name_prefix="webhook-names")
        self._asked: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str, port: int) -> list[str]:
        """All addresses of a name; raises `OSError`."""
        key = (host, port)
        if key not in self._asked:
            asked = asyncio.get_running_loop().run_in_executor(self._pool, _look_up, host, port)
            self._asked[key] = asked
            asked.add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(self._asked[key])

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Metered(httpcore2.AsyncNetworkStream):
    """A connection of which little is read at a time, and little in all until the next request.

    The parser takes whatever was read in one go: of interim answers (100, 103) without end it would ask for more until
    the deadline, and a piece of 64 KiB of them holds the event loop, and so every socket, for a tenth of a second.
    """

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner, self._left = inner, WIRE_MAX

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._left <= 0:
            raise httpcore2.RemoteProtocolError("the answer has no end")
        await asyncio.sleep(0)  # what is there already is given without a break
        found = await self._inner.read(min(max_bytes, AT_ONCE), timeout)
        self._left -= len(found)
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._left = WIRE_MAX
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _Metered(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Guarded(httpcore2.AnyIOBackend):
    """Connects to what a name means now, if all of that is outside, and to nothing else."""

    def __init__(self, resolver: _Resolver) -> None:
        self._resolver = resolver

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        addresses: list[Address] = [check_address(text) for text in await self._resolver.addresses(host, port)]
        error: Exception = httpcore2.ConnectError("the name has no address")
        for address in addresses[:3]:
            try:
                return _Metered(await super().connect_tcp(str(address), port, timeout, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                error = failed
        raise error

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        raise Forbidden("no socket of this machine")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class Sender:
    """Sends; one for each process."""

    def __init__(self) -> None:
        self._resolver = _Resolver()
        self._pool: httpcore2.AsyncConnectionPool | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One POST. Delivered is what was answered with 2xx in time; nothing is raised."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(DEADLINE):
                status, said = await self._post(check_url(url), headers, body)
        except TimeoutError:
            return Outcome(False, None, f"no answer within {DEADLINE:.0f} s", time.perf_counter() - began)
        except Forbidden as error:
            return Outcome(False, None, str(error), time.perf_counter() - began)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as error:
            return Outcome(False, None, type(error).__name__, time.perf_counter() - began)
        except Exception as error:  # noqa: BLE001  whatever a target's answer breaks is the target's failure
            return Outcome(False, None, f"unforeseen: {type(error).__name__}", time.perf_counter() - began)
        seconds = time.perf_counter() - began
        if 200 <= status < 300:
            return Outcome(True, status, "", seconds)
        what = "redirects are not followed" if 300 <= status < 400 else "refused"
        return Outcome(False, status, what, seconds, status == 410, said)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, int]:
        async with self._opened().stream(
            "POST",
            url,
            headers=[(name, value) for name, value in headers.items()],
            content=body,
            extensions={"timeout": {"connect": DEADLINE, "read": DEADLINE, "write": DEADLINE, "pool": DEADLINE}},
        ) as response:
            read = 0
            async for part in response.aiter_stream():  # read up, a connection can be used again
                read += len(part)
                if read > ANSWER_MAX:
                    break
            return response.status, _retry_after(response.headers)

    def _opened(self) -> httpcore2.AsyncConnectionPool:
        if self._pool is None:
            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=_tls(),
                max_connections=CONNECTIONS,
                max_keepalive_connections=KEPT,
                keepalive_expiry=30,
                network_backend=_Guarded(self._resolver),
            )
        return self._pool

    async def aclose(self) -> None:
        """Let go of every connection."""
        if self._pool is not None:
            await self._pool.aclose()
        self._resolver.close()


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """What the target asks for, in seconds; a date is not understood."""
    found = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return min(int(found), RETRY_AFTER_MAX) if found.isdigit() and len(found) < 10 else 0
