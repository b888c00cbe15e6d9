"""sessions_app, writes: questions come into the queue, or are merged into one that waits, or are let pass.

A message stands whatever becomes of its question: where the queue has no room, its author is told so beside the ack.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Message, Mode, Session, SpiritTurn, TurnState, User
from sessions_app.publish import Notice, notice, publish
from sessions_app.services.log import lock_known
from sessions_app.services.personas import spirit_name
from sessions_app.services.turns import circle
from sessions_app.services.turns.places import MAX_WAITING, OPEN_STATES, in_order, open_turns, tell_places, wake

GATHERING_SECONDS = 10  # how long a chorus listens before it answers


class Asked(NamedTuple):
    """A new message in a locked session, which may be a question."""

    session: Session
    message: Message


class Outcome(NamedTuple):
    """What is to be told of questions, and why those of some messages (by id) will get no answer."""

    notices: list[Notice]
    unanswered: dict[UUID, SeanceError]


def is_question(session: Session, message: Message) -> bool:
    """Whether the spirit of this session answers this message."""
    if message.off_record or message.is_spirit:
        return False
    if session.spirit_mode == Mode.SUMMONED:
        return names_spirit(message.text, spirit_name(session))
    return session.spirit_mode != Mode.OFF


def names_spirit(text: str, name: str) -> bool:
    """Whether a text calls the spirit: `@spirit`, "spirit", or its name with or without the article."""
    bare = re.sub(r"^(the|el|la)\s+", "", name, flags=re.IGNORECASE)
    return re.search(rf"(?<!\w)(@?spirit|{re.escape(bare)})(?!\w)", text, flags=re.IGNORECASE) is not None


def ask(asked: Sequence[Asked]) -> Outcome:
    """Queue a turn for each message that is a question; returns what to publish, and whose question found no room."""
    notices: list[Notice] = []
    unanswered: dict[UUID, SeanceError] = {}
    by_session: dict[UUID, list[Asked]] = {}
    for item in asked:
        if is_question(item.session, item.message):
            by_session.setdefault(item.session.id, []).append(item)
    for items in by_session.values():
        queue = _Queue(items[0].session)
        for item in items:
            try:
                queue.add(item.message)
            except SeanceError as full:
                full.details["message_id"] = str(item.message.id)
                unanswered[item.message.id] = full.kept()
        notices += queue.write()
    return Outcome(notices, unanswered)


class _Queue:
    """The queue of one locked session, and what is to be added to it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.turns = list(open_turns(session.id))
        last = SpiritTurn.objects.filter(session=session).aggregate(last=Max("number"))["last"]
        self.number: int = last or 0
        self.new: list[SpiritTurn] = []
        self.notices: list[Notice] = []

    def add(self, message: Message) -> None:
        """Take a question in; raises `QUEUE_FULL`."""
        into = self._gathering() if self.session.spirit_mode == Mode.CHORUS else self._equal(message)
        if into is not None:
            turn = self._turn(message, TurnState.MERGED)
            turn.merged_into = into
            told = events.QuestionMerged(turn.id, message.id, into.id)
            self.notices.append(notice(self.session.id, "question_merged", told))
            return
        waiting = self._waiting()
        if len(waiting) >= MAX_WAITING:
            raise SeanceError(Code.QUEUE_FULL)
        if any(turn.asker_id == message.user_id for turn in waiting):
            raise SeanceError(Code.QUEUE_FULL, "A question of yours waits already.")
        turn = self._turn(message, TurnState.QUEUED)
        if self.session.spirit_mode == Mode.CHORUS:
            turn.ready_at = Now() + timedelta(seconds=GATHERING_SECONDS)
        self.turns.append(turn)

    def _turn(self, message: Message, state: TurnState) -> SpiritTurn:
        self.number += 1
        turn = SpiritTurn(
            id=uuid7(), session=self.session, message=message, asker_id=message.user_id, number=self.number,
            state=state, created_at=Now(),
        )  # fmt: skip
        self.new.append(turn)
        return turn

    def _waiting(self) -> list[SpiritTurn]:
        """Those that must wait: whoever is next while nobody is being answered does not."""
        queued = [turn for turn in self.turns if turn.state == TurnState.QUEUED]
        is_busy = len(queued) < len(self.turns)
        return queued if is_busy or len(queued) < 1 else in_order(self.session.id, queued)[1:]

    def _gathering(self) -> SpiritTurn | None:
        """The turn of a chorus that still listens."""
        listening = SpiritTurn.objects.filter(session=self.session, state=TurnState.QUEUED, ready_at__gt=Now())
        ids = set(listening.values_list("id", flat=True)) | {turn.id for turn in self.new}
        return next((turn for turn in self.turns if turn.id in ids), None)

    def _equal(self, message: Message) -> SpiritTurn | None:
        words = wording(message.text)
        waiting = (turn for turn in self.turns if turn.state == TurnState.QUEUED)
        return next((turn for turn in waiting if wording(turn.message.text) == words), None)

    def write(self) -> list[Notice]:
        """Store what was added; returns what to publish."""
        if not self.new:
            return []
        SpiritTurn.objects.bulk_create(self.new)
        if self.session.spirit_mode == Mode.CIRCLE:
            self.notices += circle.pass_on(self.session)
        is_first = len(self.turns) == len(self.new) == 1
        places = [] if is_first else tell_places(self.session.id)
        return [*self.notices, *places, wake(self.session.id)]


def wording(text: str) -> str:
    """What makes two questions equal: their words, whatever the capitals, marks and spaces."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.sub(r"[^\w\s]|_", " ", folded).split()) or folded


@transaction.atomic
def ask_again(*, actor: User | None, session_id: UUID, turn_id: UUID) -> None:
    """Ask an ended turn's question again: asker, host or staff. The old answer stays.

    Raises `NOT_FOUND` (no such turn, or its message is gone), `QUEUE_FULL`, `SESSION_ENDED`, and what `cancel_question`
    raises; `FORBIDDEN` also for an asker who may not speak, what somebody asked who was sent away, and a spirit that is
    off.
    """
    session = lock_known(session_id, actor)
    turn = SpiritTurn.objects.filter(pk=turn_id, session=session, message__deleted_at__isnull=True).first()
    if turn is None:
        raise SeanceError(Code.NOT_FOUND)
    policies.may_delete(session, turn.asker_id, actor)
    if not session.is_active:
        raise SeanceError(Code.SESSION_ENDED)
    policies.may_ask_again(session, session.participants.filter(user=turn.asker_id).first(), actor)
    waiting = open_turns(session_id)
    # Whether it waits itself, or as a part of the one that it was merged into.
    is_asked = waiting.filter(Q(message_id=turn.message_id) | Q(merged__message_id=turn.message_id)).exists()
    if waiting.count() > MAX_WAITING or is_asked:
        raise SeanceError(Code.QUEUE_FULL)
    last = SpiritTurn.objects.filter(session=session).aggregate(last=Max("number"))["last"]
    SpiritTurn.objects.create(
        session=session, message_id=turn.message_id, asker_id=turn.asker_id, number=last + 1, created_at=Now()
    )
    publish([*tell_places(session_id), wake(session_id)])


def sessions_with_turns(session_ids: Sequence[UUID]) -> list[UUID]:
    """Sessions in which a turn waits, or was left by its holder: those of the list, and those that nobody looks after.

    A turn that is older than any process needs to notice it was left behind with its room.
    """
    rows = SpiritTurn.objects.filter(state__in=OPEN_STATES)
    mine = rows.filter(session_id__in=session_ids).exclude(state=TurnState.ACTIVE, lease_until__gte=Now())
    left = rows.filter(state=TurnState.QUEUED, created_at__lt=Now() - timedelta(seconds=LEFT_SECONDS))
    dead = rows.filter(state=TurnState.ACTIVE, lease_until__lt=Now() - timedelta(seconds=LEFT_SECONDS))
    found: list[UUID] = []
    for group in (mine, left, dead):
        found += group.values_list("session_id", flat=True).distinct()
    return list(dict.fromkeys(found))


LEFT_SECONDS = 10
