"""sessions_app, the terminal client: the socket. One loop has it, the keys, the clock and the way back."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from sessions_app.management.addresses import Address
from sessions_app.management.terminal import retry
from sessions_app.management.terminal.client import Client
from sessions_app.management.terminal.happenings import Acked, Answered, Happening, Missed, Told, Unanswered
from sessions_app.management.terminal.history import read_history
from sessions_app.management.terminal.keyboard import Closed, Edited, Entered, Interrupted, Key
from sessions_app.management.terminal.narrator import Narrator
from sessions_app.management.terminal.reading import refusal_text

WELCOME_MAX_BYTES = 16 << 20
ENDED = 4505
HELP = "/who: who is here · /quit: leave · /end: end the séance (host) · //text: say /text"


@dataclass
class Outcome:
    """How it ended: `refused` is empty, or why we may not stay."""

    refused: str = ""


@dataclass
class Sitting:
    """One person at the table, from coming to going, over as many sockets as it takes.

    `linger` is how many seconds we still wait for acks and answers once nothing more is typed; whoever said nothing
    watches for as long. `overhear` is given each frame as it came; what had to be read instead comes as `history`.
    """

    address: Address
    client: Client
    narrator: Narrator
    typed: "asyncio.Queue[Key]"
    linger: float
    token: str | None = None
    overhear: Callable[[str], None] = lambda _: None
    wants_to_go: bool = False
    eof: bool = False
    quits: bool = False
    _progress_at: float = field(default_factory=time.monotonic)
    _attempt: int = 0
    _sat: bool = False
    _acted: bool = False
    _early: list[str] = field(default_factory=list)

    async def run(self) -> Outcome:
        """Sit until we leave, are sent away, or the session ends."""
        while True:
            close_code, said = await self._one_connection()
            self.client.lost()
            if self._leaves() or (self._sat and close_code == ENDED):
                return self._gone()
            if close_code is None or not retry.comes_back(close_code):
                return self._gone(said or retry.reason(close_code or 1006))
            self._attempt += 1
            hearing = self.client.hearing
            asked, hearing.reconnect_after_ms = hearing.reconnect_after_ms, None
            if asked is None and hearing.refusal is not None:
                asked = hearing.refusal.get("retry_after_ms")
            wait = retry.delay(self._attempt, asked)
            self._tell([Told(f"{said or retry.reason(close_code)}: coming back in {wait:.1f} s")])
            await self._pass_time(until=time.monotonic() + wait)
            if self._leaves():
                return self._gone("" if self._sat else said)

    def _leaves(self) -> bool:
        return self.wants_to_go

    def _gone(self, refused: str = "") -> Outcome:
        self.narrator.flush()
        unsent = len(self.client.outbox)
        if unsent and not refused:
            refused = f"{unsent} message{'s were' if unsent > 1 else ' was'} not acknowledged."
        return Outcome(refused)

    async def _one_connection(self) -> tuple[int | None, str]:
        """The close code, or None where there is no way back, and what was said of it."""
        loopback = urlsplit(self.address.socket).hostname in {"127.0.0.1", "::1", "localhost"}
        try:
            async with connect(
                self.address.socket,
                subprotocols=["seance.v1"],  # type: ignore[list-item]  # its type is a name for str
                max_size=WELCOME_MAX_BYTES,
                proxy=None if loopback else True,
            ) as socket:
                return await self._converse(socket)
        except InvalidStatus as refusal:
            status = refusal.response.status_code
            return (1012 if status >= 500 else None), f"the server answered with HTTP {status}"
        except (OSError, InvalidHandshake, TimeoutError) as error:
            # Who never got in has the wrong address; who was in waits for the server to come back.
            return (1006 if self._sat else None), f"no connection to {self.address.socket} ({type(error).__name__})"

    async def _converse(self, socket: ClientConnection) -> tuple[int, str]:
        self.client.opened(time.monotonic())
        receiving = asyncio.ensure_future(socket.recv())
        try:
            while True:
                for frame in self.client.outgoing(time.monotonic()):
                    await socket.send(frame)
                if self.wants_to_go:
                    await socket.close(1000)
                    return 1000, ""
                await self._pass_time(receiving)
                if receiving.done():
                    await self._received(receiving.result())
                    receiving = asyncio.ensure_future(socket.recv())
        except ConnectionClosed as closed:
            refusal = self.client.hearing.refusal
            return closed.rcvd.code if closed.rcvd else 1006, refusal_text(refusal) if refusal else ""
        finally:
            receiving.cancel()
            with contextlib.suppress(ConnectionClosed, asyncio.CancelledError):
                await receiving

    async def _received(self, text: str | bytes) -> None:
        self.overhear(text if isinstance(text, str) else text.decode(errors="replace"))
        found = self.client.received(text, time.monotonic())
        self._tell(found)
        for one in found:
            if isinstance(one, Missed):
                messages = await read_history(self.address.rest, after_seq=one.after_seq, token=self.token)
                self.overhear(msgspec.json.encode({"event": "history", "data": {"messages": messages}}).decode())
                self._tell(self.client.caught_up(messages, time.monotonic()))
        if self.client.phase == "in":
            self._attempt, self._sat = 0, True
            early, self._early = self._early, []
            for line in early:
                self._entered(line)

    async def _pass_time(self, receiving: "asyncio.Future[Any] | None" = None, *, until: float | None = None) -> None:
        """Until a frame came, a key was pressed, or something is due; without a socket until `until`."""
        while True:
            now = time.monotonic()
            self.narrator.tick(now)
            self._leave_when_done(now)
            if self.wants_to_go or (until is not None and now >= until):
                return
            key: asyncio.Future[Any] = asyncio.ensure_future(self.typed.get())
            waiting = {key} if receiving is None else {key, receiving}
            done, _ = await asyncio.wait(waiting, timeout=self._timeout(now, until), return_when="FIRST_COMPLETED")
            if key in done:
                self._typed(key.result())
            else:
                key.cancel()
            if receiving is not None:
                return

    def _timeout(self, now: float, until: float | None) -> float | None:
        dues = [until, self.client.due(), self.narrator.due()]
        if self.eof or self.quits:
            dues.append(self._progress_at + self.linger)
        at = min((due for due in dues if due is not None), default=None)
        return None if at is None else max(at - now, 0.0)

    def _leave_when_done(self, now: float) -> None:
        """Whoever quits stays for the acks; after the last line of a pipe also for the answers, but not for ever."""
        if self.wants_to_go or not (self.eof or self.quits):
            return
        hearing = self.client.hearing
        open_ends = bool(self.client.outbox) or hearing.is_ending
        if not self.quits:
            open_ends = open_ends or not self._acted or hearing.expects_answer or self.narrator.is_busy
        if not open_ends or now >= self._progress_at + self.linger:
            self.go()

    def go(self) -> None:
        """Leave the table."""
        self.client.leave()
        self.wants_to_go = True

    def _typed(self, key: Key) -> None:
        match key:
            case Edited(line):
                self.narrator.view.prompt(line)
                self.client.types(time.monotonic(), is_typing=bool(line) and not line.startswith("/"))
            case Closed():
                self.eof, self._progress_at = True, time.monotonic()
            case Interrupted():
                self.go()
            case Entered(line):
                self.narrator.view.prompt("")
                if self._sat:
                    self._entered(line.strip())
                else:
                    self._early.append(line.strip())

    def _entered(self, line: str) -> None:
        self._acted = self._acted or bool(line)
        match line:
            case "":
                self.client.types(time.monotonic(), is_typing=False)
            case "/who":
                people = sorted(self.client.hearing.people.values())
                self._tell([Told(f"Here: {', '.join(people) or 'nobody'}")])
            case "/quit":
                self.quits, self._progress_at = True, time.monotonic()
            case "/end":
                self.client.end()
            case _ if line.startswith("/") and not line.startswith("//"):
                self._tell([Told(HELP)])
            case _:
                self.client.say(line.removeprefix("/"))

    def _tell(self, found: list[Happening]) -> None:
        if any(isinstance(one, Acked | Answered | Unanswered) for one in found):
            self._progress_at = time.monotonic()
        self.narrator.tell(found, time.monotonic())
