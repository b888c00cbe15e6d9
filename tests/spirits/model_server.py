"""Room: tests/spirits. A real HTTP server on the loopback that speaks chat completions, well and badly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sessions_app.spirits.registry import ProviderSettings

USAGE = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}


def chunk(text: str = "", *, finish: str | None = None, refusal: str | None = None) -> str:
    delta = {"role": "assistant", "content": text, "refusal": refusal}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(body)}\n\n"


def usage_chunk() -> str:
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE}
    return f"data: {json.dumps(body)}\n\n"


DONE = "data: [DONE]\n\n"
GOOD = (
    *map(chunk, ["BOARD: UNDER", " THE STAIR\nVOI", "CE: Look twice. ", "Then once."]),
    chunk(finish="stop"),
    usage_chunk(),
    DONE,
)
Step = str | float


class ModelServer:
    """Answers request n with script n (the last one for ever): a status, then pieces of body and pauses (s).
    `None` as the last step cuts the connection."""

    def __init__(self, scripts: Sequence[tuple[int, Sequence[Step | None]]]) -> None:
        self._scripts = scripts
        self.bodies: list[dict[str, Any]] = []
        self.hung_up = 0
        self.port = 0

    def script(self, body: dict[str, Any]) -> tuple[int, Sequence[Step | None]]:
        """What to answer to this request."""
        return self._scripts[min(len(self.bodies), len(self._scripts) - 1)]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length")]
            raw = await reader.readexactly(int(lengths[0])) if lengths else b""
            if head.startswith("GET"):
                await self._models(writer)
                return
            body = json.loads(raw)
            status, steps = self.script(body)
            self.bodies.append(body)
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: text/event-stream\r\nRetry-After: 120\r\n".encode())
            writer.write(b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
            for step in steps:
                if step is None:
                    writer.transport.abort()
                    return
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    data = step.encode()
                    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
                    await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up += 1
        finally:
            writer.close()

    async def _models(self, writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"object": "list", "data": []}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()

    def settings(self, *, first_token_s: float = 1.2) -> ProviderSettings:
        return ProviderSettings(
            base_url=f"http://127.0.0.1:{self.port}/v1",
            api_key="k",
            model="m",
            prompt_price=1000,
            completion_price=2000,
            connect_s=1.5,
            first_token_s=first_token_s,
            total_s=10.0,
        )


@asynccontextmanager
async def serving(*scripts: tuple[int, Sequence[Step | None]]) -> AsyncIterator[ModelServer]:
    model = ModelServer(scripts)
    server = await asyncio.start_server(model.handle, "127.0.0.1", 0)
    model.port = server.sockets[0].getsockname()[1]
    try:
        yield model
    finally:
        server.close()
