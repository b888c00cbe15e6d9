"""Room: tests/spirits. Requests and streams made short."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from sessions_app.spirits.base import BoardLine, Finish, Line, Persona, SpiritRequest, StreamItem, VoiceDelta
from sessions_app.spirits.personas import load_persona


def ask(
    question: str = "Is anyone there?",
    *,
    seed: int = 7,
    turn: int = 1,
    attempt: int = 1,
    asker: str = "Ana",
    people: Sequence[str] = ("Ana", "Ben"),
    history: Sequence[Line] = (),
    persona: Persona | None = None,
) -> SpiritRequest:
    return SpiritRequest(
        session_id="s-1",
        seed=seed,
        turn=turn,
        attempt=attempt,
        question=question,
        asker=asker,
        people=tuple(people),
        history=tuple(history),
        persona=persona or load_persona(),
        context_seq=len(history),
    )


def collect(stream: AsyncGenerator[StreamItem, None]) -> list[StreamItem]:
    async def run() -> list[StreamItem]:
        return [item async for item in stream]

    return asyncio.run(run())


def board_of(items: Sequence[StreamItem]) -> list[str]:
    return [item.text for item in items if isinstance(item, BoardLine)]


def voice_of(items: Sequence[StreamItem]) -> str:
    return " ".join(item.text for item in items if isinstance(item, VoiceDelta))


def finish_of(items: Sequence[StreamItem]) -> Finish:
    last = items[-1]
    assert isinstance(last, Finish)
    return last
