"""realtime, the spirit at work: turns are claimed, answered beside the consumers, and told as they come.

The rows are the queue (`services.turns`): this runner only holds leases. Whatever kills it, another one takes the turn
over when the lease runs out, and the fence keeps the first from ending it a second time.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog
from django.conf import settings

from realtime import metrics
from realtime.bridge import Bridge
from realtime.connections import ConnectionManager
from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.publish import Notice, notice
from sessions_app.services import turns
from sessions_app.services.turns import LEASE_SECONDS, WAKE, Claim
from sessions_app.spirits.base import BoardLine, Finish, ProviderError, SpiritRequest, VoiceDelta
from sessions_app.spirits.board import BoardScript, move_batches
from sessions_app.spirits.personas import load_persona
from sessions_app.spirits.registry import ProviderSettings, build_providers
from sessions_app.spirits.service import generate_response
from sessions_app.spirits.speech import format_response

log = structlog.get_logger(__name__)

AT_ONCE = 32  # turns that one process answers at the same time
LEAD = timedelta(milliseconds=250)  # so that every screen has the first moves before they begin


class _CancelledFrame(msgspec.Struct):
    data: events.SpiritCancelled


_cancelled = msgspec.json.Decoder(_CancelledFrame)


class TurnRunner:
    """Answers the turns of one process's sessions."""

    def __init__(self, bridge: Bridge, hub: ConnectionManager) -> None:
        self._bridge, self._hub = bridge, hub
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._again: set[UUID] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._moving: dict[UUID, asyncio.Task[None]] = {}
        self._board_free_at: dict[UUID, datetime] = {}
        env = settings.SEANCE
        self._providers = build_providers(
            env.spirit_providers,
            allow_network=env.spirit_allow_network,
            settings=ProviderSettings(base_url=env.spirit_base_url, api_key=env.spirit_api_key, model=env.spirit_model),
        )

    def start(self) -> None:
        """Listen for turns that wait, and look for those that were left behind."""
        self._hub.observers.append(self._hear)
        self._spawn(self._poll())

    async def stop(self) -> None:
        """Let go: what is unfinished is taken over when its lease runs out."""
        tasks = [*self._running.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for provider in self._providers:
            await provider.aclose()

    def wake(self, session_id: UUID) -> None:
        """See whether there is something to answer in a session."""
        if session_id in self._running:
            self._again.add(session_id)
            return
        task = asyncio.get_running_loop().create_task(self._work(session_id))
        self._running[session_id] = task
        task.add_done_callback(lambda _: self._ended(session_id))

    def _ended(self, session_id: UUID) -> None:
        self._running.pop(session_id, None)
        if session_id in self._again:
            self._again.discard(session_id)
            self.wake(session_id)

    def _hear(self, told: Notice) -> None:
        if told.event == WAKE:
            self.wake(UUID(told.session))
        elif told.event == "spirit_cancelled":
            self._cancelled(UUID(told.session), _cancelled.decode(told.text).data.turn_id)

    def _cancelled(self, session_id: UUID, turn_id: UUID) -> None:
        """Stop the planchette, and the work on the turn, if they are here; then look for what is left to do."""
        if (moving := self._moving.get(turn_id)) is not None:
            moving.cancel()
            self._board_free_at.pop(session_id, None)
        if (task := self._running.get(session_id)) is not None:
            self._again.add(session_id)
            task.cancel()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(settings.SEANCE.head_poll_seconds)
            try:
                for session_id in await self._bridge.call(turns.sessions_with_turns, self._hub.session_ids()):
                    self.wake(session_id)
            except SeanceError as error:
                log.warning("turn_poll_failed", code=error.code)

    async def _work(self, session_id: UUID) -> None:
        async with self._gate:
            try:
                while (claim := await self._bridge.call(turns.claim, session_id)) is not None:
                    await self._answer(claim)
            except SeanceError as error:
                log.warning("turn_not_claimed", session_id=str(session_id), code=error.code)

    async def _answer(self, claim: Claim) -> None:
        """One turn, from the claim to its end; nothing but a lost lease or a cancel leaves it open."""
        keeper = self._spawn(self._keep(claim, asyncio.current_task()))
        try:
            board, voice, finish = await self._generate(claim)
            persona = load_persona(claim.persona)
            response = format_response(voice, board=board, pace=claim.pace, seed=_seed(claim))  # type: ignore[arg-type]
            await self._end(turns.answer, claim, response=response, finish=finish)
            log.info("turn_answered", turn_id=str(claim.turn_id), source=finish.source, persona=persona.slug)
            metrics.TURNS.labels("answered").inc()
        except ProviderError as error:
            log.warning("turn_failed", turn_id=str(claim.turn_id), code=error.code)
            metrics.TURNS.labels("failed").inc()
            await self._end(turns.fail, claim, code=Code.SPIRIT_ERROR)
        except Exception as error:
            if isinstance(error, SeanceError):  # the database is away: the lease runs out, and the turn is tried again
                raise
            log.exception("turn_crashed", turn_id=str(claim.turn_id))
            metrics.TURNS.labels("failed").inc()
            await self._end(turns.fail, claim, code=Code.SPIRIT_ERROR)
        finally:
            keeper.cancel()

    async def _end(self, service: Any, claim: Claim, **how: object) -> None:
        held = await self._bridge.call(
            service, session_id=claim.session_id, turn_id=claim.turn_id, attempt=claim.attempt, **how
        )
        if not held:
            log.info("turn_lost", turn_id=str(claim.turn_id), attempt=claim.attempt)

    async def _generate(self, claim: Claim) -> tuple[str, str, Finish]:
        """Hear the provider out, telling the board line and each sentence as they come."""
        request = SpiritRequest(
            session_id=str(claim.session_id),
            seed=claim.seed,
            turn=claim.number,
            attempt=claim.attempt,
            question=claim.question,
            asker=claim.asker,
            people=claim.people,
            history=claim.history,
            persona=load_persona(claim.persona),
            context_seq=claim.context_seq,
        )
        board, voice = "", []
        async with aclosing(generate_response(request, self._providers)) as stream:
            async for item in stream:
                if isinstance(item, BoardLine):
                    board = item.text
                    script = format_response("", board=board, pace=claim.pace, seed=_seed(claim)).board_script  # type: ignore[arg-type]
                    self._moving[claim.turn_id] = moving = self._spawn(self._move(claim, script))
                    moving.add_done_callback(lambda _: self._moving.pop(claim.turn_id, None))
                elif isinstance(item, VoiceDelta):
                    voice.append(item.text)
                    self._tell(claim, "spirit_voice", events.SpiritVoice(claim.turn_id, item.text))
                elif isinstance(item, Finish):
                    return board, " ".join(voice), item
        raise ProviderError("the stream ended without an end", code="no_finish")

    async def _move(self, claim: Claim, script: BoardScript) -> None:
        """Send the planchette's moves shortly before they are due; a script waits for the end of the one before it."""
        free_at = self._board_free_at.get(claim.session_id)
        starts_at = max(datetime.now(UTC) + LEAD, free_at or datetime.min.replace(tzinfo=UTC))
        self._board_free_at[claim.session_id] = starts_at + timedelta(milliseconds=script.duration_ms)
        for batch in move_batches(script):
            due = starts_at + timedelta(milliseconds=batch.due_ms) - LEAD
            await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
            moves = msgspec.to_builtins(batch.moves)
            self._tell(claim, "spirit_move", events.SpiritMove(claim.turn_id, starts_at, moves))
        await asyncio.sleep(max(0.0, (starts_at - datetime.now(UTC)).total_seconds() + script.duration_ms / 1000))
        if self._board_free_at.get(claim.session_id, starts_at) <= datetime.now(UTC):
            self._board_free_at.pop(claim.session_id, None)

    def _tell(self, claim: Claim, event: str, data: msgspec.Struct) -> None:
        self._hub.publish([notice(claim.session_id, event, data)])

    async def _keep(self, claim: Claim, task: "asyncio.Task[Any] | None") -> None:
        """Extend the lease while the answer is made; a turn that is no longer ours is dropped."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            try:
                if not await self._bridge.call(turns.extend, turn_id=claim.turn_id, attempt=claim.attempt):
                    if task is not None:
                        task.cancel()
                    return
            except SeanceError as error:
                log.warning("turn_lease_not_extended", turn_id=str(claim.turn_id), code=error.code)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _seed(claim: Claim) -> int:
    """What fixes the planchette's small hesitations: the same for whoever replays the turn."""
    return (claim.seed + claim.number) % 2**31
