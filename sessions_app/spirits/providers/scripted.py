"""Room: sessions_app/spirits/providers. A provider that plays what a test wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

import msgspec

from ..base import BoardLine, Finish, ProviderError, SpiritRequest, StreamItem, VoiceDelta


class Wait(msgspec.Struct, frozen=True):
    """A pause of that many seconds in the script."""

    seconds: float


Step = StreamItem | Wait | ProviderError


def saying(board: str, voice: str) -> tuple[Step, ...]:
    """The script of an ordinary answer without its `Finish`, which `ScriptedProvider` adds."""
    return (BoardLine(board), VoiceDelta(voice))


class ScriptedProvider:
    """Plays `scripts` in turn, the last one for ever. `requests` is what it was asked, `closed` how many of its
    streams ended (also by being closed half-way)."""

    def __init__(
        self, *scripts: Iterable[Step], name: str = "scripted", probe_error: ProviderError | None = None
    ) -> None:
        self._scripts = [tuple(script) for script in scripts] or [saying("HELLO", "Hello from the other side.")]
        self._name = name
        self._probe_error = probe_error
        self.requests: list[SpiritRequest] = []
        self.closed = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def model(self) -> str:
        return "script"

    async def stream(self, request: SpiritRequest) -> AsyncGenerator[StreamItem, None]:
        script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
        self.requests.append(request)
        finished = False
        try:
            for step in script:
                if isinstance(step, Wait):
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, ProviderError):
                    raise step
                else:
                    finished = finished or isinstance(step, Finish)
                    yield step
            if not finished:
                yield Finish("llm", None, self.name, self.model)
        finally:
            self.closed += 1

    async def probe(self) -> None:
        if self._probe_error is not None:
            raise self._probe_error

    async def aclose(self) -> None:
        return None
