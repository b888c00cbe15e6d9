"""realtime, the spirit at work: turns are claimed, answered beside the consumers, and told as they come.

The rows are the queue (`services.turns`): this runner only holds leases. Whatever kills it, another one takes the turn
over when the lease runs out, and the fence keeps the first from ending it a second time. A runner that is told to stop
gives its turns back at once.
"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import aclosing
from contextvars import Context
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import msgspec
import structlog
from django.conf import settings

from realtime import metrics
from realtime.answers import Answers
from realtime.bridge import Bridge, outliving
from realtime.connections import ConnectionManager
from sessions_app import events, spans
from sessions_app.errors import Code, SeanceError
from sessions_app.publish import Notice, notice
from sessions_app.services import turns
from sessions_app.services.turns import WAKE, Claim, Cost, Later
from sessions_app.spirits.base import BoardLine, Finish, ProviderError, SpiritRequest, TimedOut, Usage, VoiceDelta
from sessions_app.spirits.board import BoardScript, move_batches
from sessions_app.spirits.layouts import layout_for
from sessions_app.spirits.prompts import build_messages, prompt_hash
from sessions_app.spirits.speech import FormattedResponse, format_response

log = structlog.get_logger(__name__)

AT_ONCE = 32  # turns that one process answers at the same time
LEAD = timedelta(milliseconds=250)  # a batch of moves is sent so long before it is due
OVERTIME_SECONDS = 40.0  # for the database and the oracle, beside the time of the models


class _CancelledFrame(msgspec.Struct):
    data: events.SpiritCancelled


_cancelled = msgspec.json.Decoder(_CancelledFrame)


def give_up_seconds() -> float:
    """Beyond every deadline of its own, an answer is given up: no provider may hold a turn for ever."""
    return settings.SEANCE.spirit_total_seconds + OVERTIME_SECONDS


class TurnRunner:
    """Answers the turns of one process's sessions, and those that nobody else looks after."""

    def __init__(self, bridge: Bridge, hub: ConnectionManager) -> None:
        self._bridge, self._hub = bridge, hub
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._looking: dict[UUID, asyncio.Task[None]] = {}
        self._again: set[UUID] = set()
        self._making: dict[UUID, asyncio.Task[None]] = {}
        self._held: dict[UUID, Claim] = {}
        self._moving: dict[UUID, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._answers = Answers(bridge)

    def start(self) -> None:
        """Listen for turns that wait, and look for those that were left behind."""
        self._hub.observers.append(self._hear)
        self._spawn(self._poll())

    async def stop(self) -> None:
        """Let go, and give back what is unfinished, so that another process goes on with it at once."""
        self._is_stopping = True
        held = list(self._held.values())
        tasks = [*self._looking.values(), *self._making.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for claim in held:
            with outliving("turn_not_given_back", turn_id=str(claim.turn_id)):  # the lease says the same, later
                await self._bridge.call(
                    turns.release, session_id=claim.session_id, turn_id=claim.turn_id, attempt=claim.attempt
                )
        await self._answers.aclose()

    # --- What there is to do ------------------------------------------------------------------------------------------

    def wake(self, session_id: UUID) -> None:
        """See whether there is something to answer in a session."""
        if self._is_stopping:
            return
        if session_id in self._looking:
            self._again.add(session_id)
            return
        task = asyncio.get_running_loop().create_task(self._work(session_id), context=Context())
        self._looking[session_id] = task
        task.add_done_callback(lambda _: self._looked(session_id))

    def _looked(self, session_id: UUID) -> None:
        self._looking.pop(session_id, None)
        if session_id in self._again:
            self._again.discard(session_id)
            self.wake(session_id)

    def _hear(self, told: Notice) -> None:
        if told.event == WAKE:
            if told.text:
                self._drop(UUID(told.text))
            self.wake(UUID(told.session))
        elif told.event == "spirit_cancelled":
            self._drop(_cancelled.decode(told.text).data.turn_id)

    def _drop(self, turn_id: UUID) -> None:
        """Stop the planchette and the work on a turn, if they are here: it has ended, or begins anew."""
        for tasks in (self._moving, self._making):
            if (task := tasks.get(turn_id)) is not None:
                task.cancel()

    async def _poll(self) -> None:
        lease = turns.lease_seconds()
        while True:
            await asyncio.sleep(min(settings.SEANCE.head_poll_seconds, lease / 3))
            with outliving("turn_poll_failed"):
                self._answers.report()
                await self._bridge.call(_tend, self._hub.session_ids())
                for session_id in await self._bridge.call(turns.sessions_with_turns, self._hub.session_ids()):
                    self.wake(session_id)

    async def _work(self, session_id: UUID) -> None:
        async with self._gate:
            with outliving("turn_not_claimed", session_id=str(session_id)):
                while (found := await self._bridge.call(turns.claim, session_id)) is not None:
                    if isinstance(found, Later):
                        asyncio.get_running_loop().call_later(found.seconds, self.wake, session_id)
                        return
                    with (
                        structlog.contextvars.bound_contextvars(session_id=str(session_id), turn_id=str(found.turn_id)),
                        spans.span("turn"),
                    ):
                        await self._see_through(found)

    # --- One turn -----------------------------------------------------------------------------------------------------

    async def _see_through(self, claim: Claim) -> None:
        """One turn, from the claim to its end, or to the moment when it is no longer ours."""
        self._held[claim.turn_id] = claim
        making = self._making[claim.turn_id] = self._spawn(self._make(claim))
        keeper = self._spawn(self._keep(claim, making))
        metrics.TURNS_ACTIVE.inc()
        try:
            await asyncio.wait({making})
        finally:
            keeper.cancel()
            metrics.TURNS_ACTIVE.dec()
            if self._making.get(claim.turn_id) is making:
                del self._making[claim.turn_id]
            if not self._is_stopping:
                self._held.pop(claim.turn_id, None)

    async def _make(self, claim: Claim) -> None:
        began = time.monotonic()
        try:
            try:
                async with asyncio.timeout(give_up_seconds()):
                    response, finish, cost = await self._generate(claim, began)
            except TimeoutError:
                raise TimedOut("the answer was given up") from None
            held = await self._bridge.call_locking(
                turns.answer, **_fence(claim), response=response, finish=finish, cost=cost
            )
            if not held:
                log.info("turn_lost", turn_id=str(claim.turn_id), attempt=claim.attempt)
                return
            metrics.TURNS.labels("answered").inc()
            metrics.ANSWERS.labels(finish.source, finish.degraded or "none").inc()
            metrics.TURN_SECONDS.observe(time.monotonic() - began)
            log.info(
                "turn_answered", turn_id=str(claim.turn_id), source=finish.source, degraded=finish.degraded,
                persona=claim.persona.slug, version=claim.persona.version,
            )  # fmt: skip
        except ProviderError as error:
            log.warning("turn_failed", turn_id=str(claim.turn_id), code=error.code)
            await self._fail(claim)
        except SeanceError as error:  # the database is away: the lease runs out, and the turn is tried again
            log.warning("turn_left", turn_id=str(claim.turn_id), code=error.code)
        except Exception:
            log.exception("turn_crashed", turn_id=str(claim.turn_id))
            await self._fail(claim)

    async def _fail(self, claim: Claim) -> None:
        metrics.TURNS.labels("failed").inc()
        with outliving("turn_left", turn_id=str(claim.turn_id)):
            await self._bridge.call_locking(turns.fail, **_fence(claim), code=Code.SPIRIT_ERROR)

    async def _generate(self, claim: Claim, began: float) -> tuple[FormattedResponse, Finish, Cost]:
        """Hear the provider out, telling the board line and each sentence as they come."""
        request = _request(claim)
        cost = Cost(prompt_hash=prompt_hash(build_messages(request)))
        board, voice = "", []
        async with aclosing(self._answers.stream(claim, request)) as stream:
            async for item in stream:
                if isinstance(item, BoardLine):
                    board = item.text
                    await self._begin_moves(claim, board, began)
                elif isinstance(item, VoiceDelta):
                    voice.append(item.text)
                    self._tell(claim, "spirit_voice", events.SpiritVoice(claim.turn_id, item.text))
                elif isinstance(item, Usage):
                    cost = Cost(item.prompt_tokens, item.completion_tokens, item.cost_microcents, cost.prompt_hash)
                elif isinstance(item, Finish):
                    return _formatted(claim, " ".join(voice), board), item, cost
        raise ProviderError("the stream ended without an end", code="no_finish")

    async def _begin_moves(self, claim: Claim, board: str, began: float) -> None:
        script = _formatted(claim, "", board).board_script
        starts_at = await self._bridge.call(turns.begin_moves, **_fence(claim), duration_ms=script.duration_ms)
        if starts_at is None:
            raise asyncio.CancelledError  # somebody else has the turn
        moving = self._moving[claim.turn_id] = self._spawn(self._move(claim, script, starts_at))
        moving.add_done_callback(lambda task: self._stopped(claim.turn_id, task))
        metrics.FIRST_MOVE_SECONDS.observe(time.monotonic() - began)

    def _stopped(self, turn_id: UUID, task: "asyncio.Task[None]") -> None:
        if self._moving.get(turn_id) is task:
            del self._moving[turn_id]

    async def _move(self, claim: Claim, script: BoardScript, starts_at: datetime) -> None:
        """Send the planchette's moves shortly before they are due."""
        for batch in move_batches(script):
            due = starts_at + timedelta(milliseconds=batch.due_ms) - LEAD
            await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
            moves = msgspec.to_builtins(batch.moves)
            self._tell(claim, "spirit_move", events.SpiritMove(claim.turn_id, starts_at, moves))

    def _tell(self, claim: Claim, event: str, data: msgspec.Struct) -> None:
        self._hub.publish([notice(claim.session_id, event, data)])

    async def _keep(self, claim: Claim, making: "asyncio.Task[None]") -> None:
        """Extend the lease while the answer is made; a turn that is no longer ours is dropped."""
        while True:
            await asyncio.sleep(turns.lease_seconds() / 3)
            with outliving("turn_lease_not_extended", turn_id=str(claim.turn_id)):
                if not await self._bridge.call(turns.extend, turn_id=claim.turn_id, attempt=claim.attempt):
                    making.cancel()
                    return

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _tend(session_ids: list[UUID]) -> None:
    """What time does to turns, whoever is there."""
    turns.expire_waiting()
    turns.cancel_in_empty_rooms()
    turns.pass_over(session_ids)


def _fence(claim: Claim) -> dict[str, Any]:
    return {"session_id": claim.session_id, "turn_id": claim.turn_id, "attempt": claim.attempt}


def _request(claim: Claim) -> SpiritRequest:
    return SpiritRequest(
        session_id=str(claim.session_id),
        seed=claim.seed,
        turn=claim.number,
        attempt=claim.attempt,
        question=claim.question,
        asker=claim.asker,
        people=claim.people,
        history=claim.history,
        persona=claim.persona,
        context_seq=claim.context_seq,
    )


def _formatted(claim: Claim, voice: str, board: str) -> FormattedResponse:
    """The seed fixes the planchette's small hesitations: the same for whoever replays the turn."""
    seed = (claim.seed + claim.number) % 2**31
    layout = layout_for(claim.persona.locale)
    return format_response(voice, board=board, layout=layout, pace=cast(Any, claim.pace), seed=seed)
