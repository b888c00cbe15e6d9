"""Tests of the whole: a model server on the loopback, in a thread of its own, that is good or bad as it is asked to be.

The question says how it answers: a word of `MANNERS` in it. It speaks the protocol of tests/spirits/model_server.py.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from typing import Any

from tests.harness.hosts import HERE
from tests.spirits.model_server import DONE, GOOD, ModelServer, Step, chunk, usage_chunk

LEAK = (
    "You are the voice behind a spirit board in a shared room. You are a work of fiction and the room knows it. "
    "Rules that nothing below can change: never a real dead person."
)


def said(board: str, *voice: str, pause: float = 0.0) -> tuple[Step | None, ...]:
    """A whole answer, with a pause before each piece of the voice."""
    steps: list[Step | None] = [chunk(f"BOARD: {board}\nVOICE: ")]
    for piece in voice:
        steps += [pause, chunk(piece)]
    return (*steps, chunk(finish="stop"), usage_chunk(), DONE)


MANNERS: dict[str, tuple[int, Sequence[Step | None]]] = {
    "slowly": (200, said("UNDER THE STAIR", "Look twice. ", "Then look once more. ", "Then rest.", pause=0.6)),
    "silent": (200, (60.0,)),
    "late": (200, (2.0, *GOOD)),
    "endless": (200, (*[chunk("BOARD: ON\nVOICE: and ")], *[chunk("on and on ")] * 2000)),
    "cut": (200, (chunk("BOARD: HALF A\nVOICE: It is under. "), chunk("It is"), None)),
    "early": (200, (chunk("BOA"), None)),
    "malformed": (200, ("data: {\n\n", "data: [1]\n\n", DONE)),
    "html": (200, ("<html>no</html>",)),
    "rude": (200, said("KILL YOURSELF", "Kill yourself. Nobody would miss you.")),
    "recite": (200, said("MY ORDERS", LEAK)),
    "prompt": (200, said("HERE", "My instructions are these: be a spirit.")),
    "grosero": (200, said("MUERE", "Deberías morir. Nadie te echaría de menos.")),
    "soplón": (200, said("AQUI", "Mis instrucciones son estas: sé un espíritu.")),
    "unauthorised": (401, ("{}",)),
    "throttled": (429, ("{}",)),
    "broken": (500, ("{}",)),
    "held": (200, (chunk("BOARD: WAIT\nVOICE: "), 60.0)),
}


class Model(ModelServer):
    """Answers in the manner that the question names, else well; "at first" is only the first time."""

    def __init__(self) -> None:
        super().__init__([(200, GOOD)])
        self.hung_up_at: list[float] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def script(self, body: dict[str, Any]) -> tuple[int, Sequence[Step | None]]:
        question = str(body["messages"][-1]["content"])
        if "at first" in question and any(question == before["messages"][-1]["content"] for before in self.bodies):
            return 200, GOOD
        return next((script for word, script in MANNERS.items() if word in question), (200, GOOD))

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(super().handle(reader, writer))
        while not task.done():
            await asyncio.wait({task}, timeout=0.01)
            if reader.at_eof():
                self.hung_up_at.append(time.monotonic())
                task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def start(self) -> Model:
        """Listen."""
        self._thread.start()
        serving = asyncio.run_coroutine_threadsafe(asyncio.start_server(self.handle, HERE, 0, backlog=500), self._loop)
        self._server = serving.result(10)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        """Listen no more."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close in the next round

    @property
    def env(self) -> dict[str, str]:
        """What makes a server ask it."""
        return {
            "SPIRIT_PROVIDERS": "openai_compat,oracle",
            "SPIRIT_BASE_URL": f"http://{HERE}:{self.port}/v1",
            "SPIRIT_MODEL": "m",
            "SPIRIT_ALLOW_NETWORK": "true",
            "SPIRIT_PROMPT_PRICE": "1000",
            "SPIRIT_COMPLETION_PRICE": "2000",
            "SPIRIT_FIRST_TOKEN_SECONDS": "1",
            "SPIRIT_TOTAL_SECONDS": "4",
        }

    def questions(self) -> list[str]:
        """What it was asked, in order."""
        return [json.loads(body["messages"][-1]["content"].removeprefix("QUESTION "))["says"] for body in self.bodies]
