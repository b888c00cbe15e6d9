"""sessions_app, writes: a turn is claimed with a lease and a fence.

Whoever claims a turn gets its `attempt`, and every later write says which attempt it belongs to: a process that slept
through its lease finds that another attempt holds the turn, and writes nothing. So a turn has exactly one end.
"""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from sessions_app import events
from sessions_app.errors import Code
from sessions_app.models import Message, Participant, Session, SpiritTurn, TurnState
from sessions_app.publish import Notice, notice, publish
from sessions_app.selectors.turns import turn_data
from sessions_app.services.log import lock_sessions
from sessions_app.services.personas import pinned
from sessions_app.services.turns.ending import end, held
from sessions_app.services.turns.places import in_order, open_turns, tell_places, wake
from sessions_app.services.turns.queueing import wording
from sessions_app.spirits.base import MAX_CHARS, Line, Persona

MAX_LOST = 3  # holders that may be lost before the turn fails
ORACLE_AFTER = 2  # from so many on the oracle answers alone: it may be the question that kills
WAIT_SECONDS = 90
CONTEXT_MESSAGES = 60
BUSY_SECONDS = 0.2


class Claim(NamedTuple):
    """A turn that the caller may answer now, as attempt `attempt`, and all that a provider may know of it."""

    turn_id: UUID
    session_id: UUID
    message_id: UUID
    attempt: int
    number: int
    seed: int
    persona: Persona
    pace: str
    question: str
    asker: str
    asker_id: UUID | None
    people: tuple[str, ...]
    history: tuple[Line, ...]
    context_seq: int
    is_last_try: bool


class Later(NamedTuple):
    """Nothing to do yet: a chorus still gathers, or somebody else has the lock; for so many seconds."""

    seconds: float


def lease_seconds() -> float:
    """How long a turn holds unrenewed."""
    seconds: float = settings.SEANCE.spirit_lease_seconds
    return seconds


@transaction.atomic
def claim(session_id: UUID) -> Claim | Later | None:
    """Take the session's next turn, or one whose holder's lease ran out; None where there is nothing to do."""
    session = lock_sessions([session_id], wait=False).get(session_id)
    if session is None:  # somebody else has the lock, for milliseconds as a rule; no thread waits for it here
        return Later(BUSY_SECONDS) if Session.objects.filter(pk=session_id).exists() else None
    turns = list(open_turns(session_id))
    if not turns:
        return None
    turn = next((one for one in turns if one.state == TurnState.ACTIVE), None)
    notices: list[Notice] = []
    if turn is not None:
        if not SpiritTurn.objects.filter(pk=turn.pk, lease_until__lt=Now()).exists():
            _expire(session, turns, notices)
            return None
        turn.lost += 1
        if turn.lost >= MAX_LOST:
            notices += end(session, turn, TurnState.FAILED, events.now(), code=Code.SPIRIT_ERROR)
            session.save(update_fields=["last_seq"])
            publish([*notices, wake(session_id)])
            return None
    else:
        turns = _expire(session, turns, notices)
        ready = SpiritTurn.objects.filter(pk__in=[one.pk for one in turns])
        ids = set(ready.filter(Q(ready_at__isnull=True) | Q(ready_at__lte=Now())).values_list("pk", flat=True))
        turn = next((one for one in in_order(session_id, turns) if one.pk in ids), None)
        if turn is None:
            times = [one.ready_at for one in turns if one.ready_at]
            return Later(max(0.05, (min(times) - events.now()).total_seconds())) if times else None
    return _take(session, turn)


def _expire(session: Session, turns: list[SpiritTurn], notices: list[Notice]) -> list[SpiritTurn]:
    """End what has waited too long; returns the others."""
    old = SpiritTurn.objects.filter(
        pk__in=[turn.pk for turn in turns],
        state=TurnState.QUEUED,
        started_at__isnull=True,
        created_at__lt=Now() - timedelta(seconds=WAIT_SECONDS),
    )
    ids = set(old.values_list("pk", flat=True))
    if ids:
        for turn in turns:
            if turn.pk in ids:
                notices += end(session, turn, TurnState.FAILED, events.now(), code=Code.QUEUE_EXPIRED)
        session.save(update_fields=["last_seq"])
        publish([*notices, *tell_places(session.id)])
    return [turn for turn in turns if turn.pk not in ids]


def _take(session: Session, turn: SpiritTurn) -> Claim:
    turn.session = session
    turn.state, turn.started_at = TurnState.ACTIVE, turn.started_at or events.now()
    turn.attempt += 1
    turn.place, turn.moves_at, turn.moves_until = None, None, None
    turn.lease_until = Now() + timedelta(seconds=lease_seconds())
    version, persona = pinned(session)
    turn.persona = version
    turn.seed, turn.context_seq = session.seed, session.last_seq
    question, history, turn.context_from = _heard(session, turn)
    turn.save()
    now = turn_data(turn)
    thinking = events.SpiritThinking(now.turn_id, now.message_id, now.asker, now.persona)
    publish([notice(session.id, "spirit_thinking", thinking), *tell_places(session.id)])
    people = Participant.objects.filter(session=session, left_at__isnull=True).order_by("joined_at")
    return Claim(
        turn_id=turn.id,
        session_id=session.id,
        message_id=turn.message_id,
        attempt=turn.attempt,
        number=turn.number,
        seed=session.seed,
        persona=persona,
        pace=session.spirit_pace,
        question=question,
        asker=turn.message.user_name or "",
        asker_id=turn.asker_id,
        people=tuple(people.values_list("name", flat=True)),
        history=history,
        context_seq=turn.context_seq,
        is_last_try=turn.lost >= ORACLE_AFTER,
    )


def _heard(session: Session, turn: SpiritTurn) -> tuple[str, tuple[Line, ...], int]:
    """The question, with whatever was merged into it, what the spirit knows of the room, and the first `seq` of it all.

    What is deleted, off the record or said by somebody who was sent away is never heard, nor what was answered to it.
    """
    gone = Participant.objects.filter(session=session, kicked_at__isnull=False).values("user")
    rows = Message.objects.filter(session=session, deleted_at__isnull=True, off_record=False).exclude(user__in=gone)
    merged = list(rows.filter(turns__merged_into=turn, turns__state=TurnState.MERGED).order_by("seq"))
    asked = [turn.message, *merged]
    lost = Q(in_reply_to__deleted_at__isnull=False) | Q(in_reply_to__user__in=gone)
    known = rows.exclude(pk__in=[row.pk for row in asked]).exclude(lost).order_by("-seq")[:CONTEXT_MESSAGES]
    history = tuple(Line(row.seq, row.user_name, row.text, row.is_spirit) for row in reversed(known))
    texts = {wording(row.text): row.text for row in reversed(asked)}
    question = " ".join(texts[key] for key in dict.fromkeys(wording(row.text) for row in asked))
    if len(question) > MAX_CHARS:
        question = question[:MAX_CHARS].rsplit(" ", 1)[0]
    return question, history, min([row.seq for row in asked] + [line.seq for line in history])


def extend(*, turn_id: UUID, attempt: int) -> bool:
    """Renew the lease; False where the turn is no longer this attempt's, and its work is to be dropped."""
    return held(turn_id, attempt).update(lease_until=Now() + timedelta(seconds=lease_seconds())) == 1


def expire_waiting() -> int:
    """End, in whatever session, what has waited too long; returns in how many sessions."""
    old = SpiritTurn.objects.filter(
        state=TurnState.QUEUED, started_at__isnull=True, created_at__lt=Now() - timedelta(seconds=WAIT_SECONDS)
    )
    ids = list(old.values_list("session_id", flat=True).distinct())
    if ids:
        with transaction.atomic():
            for session in lock_sessions(ids, wait=False).values():
                _expire(session, list(open_turns(session.id)), [])
    return len(ids)
