"""sessions_app, writes: how a turn ends: answered, cancelled, failed, withdrawn. Exactly one of them, exactly once.

Whoever answers must hold the attempt that was claimed (the fence); whoever cancels or withdraws holds the lock of the
session. A turn that is taken back without an end (a server that drains, a text that is gone) goes to the front again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import Max, QuerySet
from django.db.models.functions import Now

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Act, Answer, Message, Mode, Participant, Session, SpiritTurn, TurnState, User
from sessions_app.publish import Notice, publish
from sessions_app.selectors import shapes
from sessions_app.services.audit import record
from sessions_app.services.log import append_event, lock_known, lock_session, lock_sessions
from sessions_app.services.turns.circle import begin_anew
from sessions_app.services.turns.places import OPEN_STATES, open_turns, tell_places, wake
from sessions_app.spirits.base import Finish
from sessions_app.spirits.speech import FormattedResponse

EMPTY_SECONDS = 15
LEAD = timedelta(milliseconds=250)  # so that every screen has the first moves before they begin


class Cost(NamedTuple):
    """What an answer cost, and the digest of the prompt that it answers."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_microcents: int = 0
    prompt_hash: str = ""


def held(turn_id: UUID, attempt: int) -> QuerySet[SpiritTurn]:
    """The turn, if it is still this attempt's."""
    return SpiritTurn.objects.filter(pk=turn_id, attempt=attempt, state=TurnState.ACTIVE)


def begin_moves(*, session_id: UUID, turn_id: UUID, attempt: int, duration_ms: int) -> datetime | None:
    """When the planchette begins to spell this turn's line: not before it has spelt the one before. None where the
    turn is no longer this attempt's."""
    others = SpiritTurn.objects.filter(session_id=session_id, moves_until__isnull=False).exclude(pk=turn_id)
    free_at = others.aggregate(free_at=Max("moves_until"))["free_at"]
    soon = events.now() + LEAD
    starts_at = max(soon, free_at or soon)
    until = starts_at + timedelta(milliseconds=duration_ms)
    return starts_at if held(turn_id, attempt).update(moves_at=starts_at, moves_until=until) else None


@transaction.atomic
def answer(
    *,
    session_id: UUID,
    turn_id: UUID,
    attempt: int,
    response: FormattedResponse,
    finish: Finish,
    cost: Cost = Cost(),  # noqa: B008  a tuple
) -> bool:
    """End a turn with the spirit's message; False, and nothing stored, where the turn is no longer this attempt's."""
    session = lock_session(session_id)
    turn = held(turn_id, attempt).select_related("message").first()
    if turn is None:
        return False
    at = events.now()
    session.last_seq += 1
    row = Message.objects.create(
        session=session,
        seq=session.last_seq,
        text=response.text,
        timestamp=at,
        is_spirit=True,
        in_reply_to_id=turn.message_id,
    )
    row.answer = Answer.objects.create(
        message=row,
        turn=turn,
        board_script=msgspec.to_builtins(response.board_script),
        letter_timings=list(response.letter_timings),
        word_count=response.word_count,
        source=finish.source,
        degraded=finish.degraded,
        starts_at=turn.moves_at,
    )
    turn.state, turn.ended_at, turn.lease_until = TurnState.ANSWERED, at, None
    turn.provider, turn.model, turn.prompt_hash = finish.provider, finish.model, cost.prompt_hash
    turn.source, turn.degraded = finish.source, finish.degraded or ""
    turn.prompt_tokens, turn.completion_tokens = cost.prompt_tokens, cost.completion_tokens
    turn.cost_microcents = cost.cost_microcents
    turn.save()
    begin_anew(session, at)
    session.save(update_fields=["last_seq"])
    event, data = shapes.message_event(row)
    text = events.frame(event, data, at=at, seq=row.seq)
    publish([Notice(str(session_id), event, text, row.seq), wake(session_id)])
    return True


@transaction.atomic
def fail(*, session_id: UUID, turn_id: UUID, attempt: int, code: str) -> bool:
    """End a turn without an answer; False where it is no longer this attempt's."""
    session = lock_session(session_id)
    turn = held(turn_id, attempt).first()
    if turn is None:
        return False
    told = end(session, turn, TurnState.FAILED, events.now(), code=code)
    session.save(update_fields=["last_seq"])
    publish([*told, wake(session_id)])
    return True


@transaction.atomic
def release(*, session_id: UUID, turn_id: UUID, attempt: int) -> bool:
    """Give a turn back that was not finished, for another process to take at once."""
    lock_session(session_id)
    back = held(turn_id, attempt).update(state=TurnState.QUEUED, lease_until=None, place=None, moves_until=Now()) == 1
    if back:
        publish([wake(session_id)])
    return back


@transaction.atomic
def cancel_question(*, actor: User | None, session_id: UUID, turn_id: UUID) -> None:
    """Cancel a turn that waits or is being answered: asker, host or staff; a turn that has ended stays as it is.

    Raises `NOT_FOUND`, `UNAUTHORIZED`, `FORBIDDEN`, `SESSION_NOT_FOUND`.
    """
    session = lock_known(session_id, actor)
    turn = SpiritTurn.objects.filter(pk=turn_id, session=session).first()
    if turn is None:
        raise SeanceError(Code.NOT_FOUND)
    policies.may_delete(session, turn.asker_id, actor)
    if turn.state in OPEN_STATES:
        is_own = actor is not None and actor.id == turn.asker_id
        told = end(session, turn, TurnState.CANCELLED, events.now(), by=actor.id if actor else None)
        if is_own:
            inherit(turn)
        session.save(update_fields=["last_seq"])
        publish([*told, *tell_places(session_id), wake(session_id)])
        if not is_own:
            record(Act.CANCEL_QUESTION, actor=actor, session=session, target=turn.id)


def withdraw(session: Session, turns: Iterable[SpiritTurn], at: datetime, by: UUID | None) -> list[Notice]:
    """End turns of a locked session whose question is gone; returns what to publish. The caller saves `last_seq`.

    Where others had asked the same, the first of them gets the place, if the spirit still listens; all others move up.
    """
    notices = []
    for turn in turns:
        if turn.state in OPEN_STATES:
            notices += end(session, turn, TurnState.WITHDRAWN, at, by=by)
            if session.is_active and session.spirit_mode != Mode.OFF:
                inherit(turn)
    if notices and open_turns(session.id).exists():
        notices += [*tell_places(session.id), wake(session.id)]
    return notices


def inherit(turn: SpiritTurn) -> None:
    """Somebody else had asked the same: that question takes the place of the one that is gone."""
    gone = Participant.objects.filter(session=turn.session_id, kicked_at__isnull=False).values("user")
    heirs = turn.merged.filter(state=TurnState.MERGED, message__deleted_at__isnull=True)
    heirs = heirs.exclude(asker_id=turn.asker_id).exclude(asker__in=gone)
    heir = heirs.order_by("number").first()
    if heir is None:
        return
    heir.state, heir.merged_into, heir.created_at = TurnState.QUEUED, None, Now()
    heir.save(update_fields=["state", "merged_into", "created_at"])
    turn.merged.filter(state=TurnState.MERGED).update(merged_into=heir)


def unhear(session: Session, turns: Iterable[SpiritTurn]) -> list[Notice]:
    """Begin turns under way again, since what they had heard is gone; returns what to publish."""
    notices = []
    for turn in turns:
        turn.state, turn.lease_until, turn.place = TurnState.QUEUED, None, None
        turn.moves_until = events.now() if turn.moves_until else None
        turn.save(update_fields=["state", "lease_until", "place", "moves_until"])
        notices.append(wake(session.id, stop=turn.id))
    return notices


def unhear_message(session: Session, message: Message) -> list[Notice]:
    """A message of a locked session was taken away: no answer may come of it any more."""
    if message.off_record:
        return []
    heard = session.turns.filter(state=TurnState.ACTIVE, context_from__lte=message.seq, context_seq__gte=message.seq)
    return unhear(session, heard)


def unhear_person(session: Session, user_id: UUID) -> list[Notice]:
    """Somebody was sent away: no answer may come of what that person said."""
    said = Message.objects.filter(session=session, user_id=user_id, deleted_at__isnull=True, off_record=False)
    return unhear(
        session,
        [
            turn
            for turn in session.turns.filter(state=TurnState.ACTIVE)
            if said.filter(seq__gte=turn.context_from, seq__lte=turn.context_seq).exists()
        ],
    )


def end(
    session: Session, turn: SpiritTurn, state: TurnState, at: datetime, *, code: str = "", by: UUID | None = None
) -> list[Notice]:
    """End a turn of a locked session without an answer; returns what to publish. The caller saves `last_seq`."""
    was_active = turn.state == TurnState.ACTIVE
    turn.state, turn.ended_at, turn.lease_until, turn.code = state, at, None, code
    if turn.moves_until is not None and turn.moves_until > at:
        turn.moves_until = at  # the planchette stops
    turn.save(update_fields=["state", "ended_at", "lease_until", "code", "moves_until"])
    if was_active:
        begin_anew(session, at)
    if state == TurnState.FAILED:
        return [append_event(session, "spirit_failed", events.SpiritFailed(turn.id, turn.message_id, code), at)]
    return [append_event(session, "spirit_cancelled", events.SpiritCancelled(turn.id, turn.message_id, by), at)]


@transaction.atomic
def cancel_in_empty_rooms() -> int:
    """Cancel what was asked in rooms whose people have all been gone for 15 s; returns how many turns."""
    old = SpiritTurn.objects.filter(state__in=OPEN_STATES, created_at__lt=Now() - timedelta(seconds=EMPTY_SECONDS))
    rooms = [pk for pk in old.values_list("session_id", flat=True).distinct() if _is_empty(pk)]
    count = 0
    for session in lock_sessions(rooms, wait=False).values():
        if not _is_empty(session.id):
            continue
        at, told = events.now(), []
        for turn in session.turns.filter(state__in=OPEN_STATES):
            told += end(session, turn, TurnState.CANCELLED, at, code="EMPTY_ROOM")
            count += 1
        session.save(update_fields=["last_seq"])
        publish([*told, wake(session.id)])
    return count


def _is_empty(session_id: UUID) -> bool:
    """Whether people sat there, and nobody has for 15 s. Who only reads, or posts over REST, has no seat to leave."""
    people = Participant.objects.filter(session=session_id)
    since = Now() - timedelta(seconds=EMPTY_SECONDS)
    present = people.filter(left_at__isnull=True, away_since__isnull=True)
    lately = people.filter(left_at__gt=since) | people.filter(left_at__isnull=True, away_since__gt=since)
    return people.exists() and not present.exists() and not lately.exists()
