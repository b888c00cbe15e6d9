"""sessions_app, writes: who waits where. The rows are the queue; its order is a function of them.

Fewest answers first, then who asked first: whoever was served waits until everybody who waits was served as often.
"""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from django.db.models import Count, QuerySet

from sessions_app import events
from sessions_app.models import SpiritTurn, TurnState
from sessions_app.publish import Notice, notice
from sessions_app.selectors.turns import asker

MAX_WAITING = 8
OPEN_STATES = (TurnState.QUEUED, TurnState.ACTIVE)
# What counts as served: a turn that is being answered will be, and a merged one shares another's answer.
SERVED_STATES = (TurnState.ANSWERED, TurnState.ACTIVE, TurnState.MERGED)
# Tells every process of a session to look at its turns; it is an internal word, and no socket ever gets it. With a
# turn's id as its text: whoever answers that turn stops, since it is no longer his.
WAKE = "turn_waits"


def wake(session_id: UUID, stop: UUID | None = None) -> Notice:
    """The word that there is something to do, or that the work on turn `stop` is in vain."""
    return Notice(str(session_id), WAKE, str(stop) if stop else "")


def open_turns(session_id: UUID) -> QuerySet[SpiritTurn]:
    """What waits and what is being answered, with the questions."""
    return SpiritTurn.objects.filter(session_id=session_id, state__in=OPEN_STATES).select_related("message")


def in_order(session_id: UUID, turns: Iterable[SpiritTurn]) -> list[SpiritTurn]:
    """Those of the turns that wait, next one first; one that had begun before goes on before all others."""
    waiting = [turn for turn in turns if turn.state == TurnState.QUEUED]
    if len(waiting) < 2:
        return waiting
    rows = SpiritTurn.objects.filter(
        session_id=session_id, asker__in={turn.asker_id for turn in waiting}, state__in=SERVED_STATES
    )
    served = Counter(dict(rows.values_list("asker").annotate(Count("pk"))))
    return sorted(waiting, key=lambda turn: (turn.started_at is None, served[turn.asker_id], turn.number))


def tell_places(session_id: UUID) -> list[Notice]:
    """Note the place of everybody who waits, and return what to tell those whose place is another one than before.

    Whoever is next while nobody is being answered has place 0, and is told nothing: the turn begins at once. Who was
    told a place keeps it until then, so that two are never told the same one.
    """
    turns = list(open_turns(session_id))
    waiting = in_order(session_id, turns)
    is_busy = any(turn.state == TurnState.ACTIVE for turn in turns)
    first = 1 if is_busy or (waiting and waiting[0].place) else 0
    notices = []
    for place, turn in enumerate(waiting, start=first):
        if turn.place != place:
            turn.place = place
            turn.save(update_fields=["place"])
            if place:
                told = events.QuestionQueued(turn.id, turn.message_id, asker(turn), place)
                notices.append(notice(session_id, "question_queued", told))
    return notices
