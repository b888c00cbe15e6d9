"""sessions_app, commands: `manage.py join`, a séance in the terminal."""

import asyncio
import shutil
import signal
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import suppress
from typing import Any

from sessions_app.management.addresses import Address, parse
from sessions_app.management.base import Refused, SeanceCommand
from sessions_app.management.terminal.client import Client
from sessions_app.management.terminal.connection import HELP, Outcome, Sitting
from sessions_app.management.terminal.keyboard import Interrupted, is_live, keys
from sessions_app.management.terminal.narrator import Narrator
from sessions_app.management.terminal.view import LiveView, NoView, PlainView, View


def seconds(given: str) -> float:
    """An argparse type: seconds from 0 to an hour."""
    value = float(given)
    if not 0 <= value <= 3600:
        raise ArgumentTypeError("must be from 0 to 3600 seconds")
    return value


class Command(SeanceCommand):
    """Sits in a session over a real WebSocket, as any other client does."""

    help = (
        "Sit in a session from the terminal. What you type is said; lines that are piped in are messages, too. "
        "Commands: " + HELP.replace("%", "%%")
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("session", metavar="SESSION_ID_OR_URL", help="the session's id, or any URL that has it")
        parser.add_argument("--name", help="how the others see you (default Anonymous)")
        parser.add_argument("--url", default="", metavar="ws://HOST:PORT", help="the server (default HOST and PORT)")
        parser.add_argument("--token", help="an access token; without one you are a guest")
        parser.add_argument("--observer", action="store_true", help="only watch, and take no seat")
        parser.add_argument(
            "--linger",
            type=seconds,
            default=60.0,
            metavar="SECONDS",
            help="once the input has ended: how long to wait for acks and answers, or to watch if nothing was said "
            "(default 60)",
        )
        parser.add_argument(
            "--json", action="store_true", dest="as_json",
            help="write every frame of the server as it came, one a line, and nothing else",
        )  # fmt: skip

    def handle(self, *_: Any, session: str, url: str, linger: float, as_json: bool, **options: Any) -> None:
        client = Client(name=options["name"], token=options["token"], observer=options["observer"])
        with suppress(KeyboardInterrupt, BrokenPipeError):
            outcome = asyncio.run(self._sit(parse(session, url), client, linger, options["token"], as_json=as_json))
            if outcome.refused:
                raise Refused(outcome.refused)

    async def _sit(
        self, address: Address, client: Client, linger: float, token: str | None, *, as_json: bool
    ) -> Outcome:
        live = is_live() and not as_json
        with keys(live=live) as typed:
            view = NoView() if as_json else self._view(live=live)
            sitting = Sitting(address, client, Narrator(view), typed, linger, token)
            if as_json:
                sitting.overhear = self._write
            # Only the main thread hears signals, and on Windows no loop does.
            with suppress(ValueError, NotImplementedError, RuntimeError):
                for number in (signal.SIGINT, signal.SIGTERM):
                    asyncio.get_running_loop().add_signal_handler(number, typed.put_nowait, Interrupted())
            try:
                return await sitting.run()
            finally:
                sitting.narrator.view.prompt(None)

    def _write(self, frame: str) -> None:
        self.stdout.write(frame)
        self.stdout.flush()

    def _view(self, *, live: bool) -> View:
        out: Any = self.stdout
        out.ending = ""  # letters are written one by one
        if not live:
            return PlainView(out)
        view = LiveView(out, columns=shutil.get_terminal_size().columns, color=self._color)
        view.prompt("")
        return view
