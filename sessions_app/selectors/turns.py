"""sessions_app, reads: turns of the spirit."""

from collections.abc import Callable, Collection, Iterable
from uuid import UUID

from msgspec.structs import replace

from sessions_app import events
from sessions_app.models import SpiritTurn, TurnState
from sessions_app.prepared import Prepared

OPEN = (TurnState.ACTIVE, TurnState.QUEUED)
_asked = Prepared(
    lambda ids, _: SpiritTurn.objects.filter(session_id__in=ids, state__in=OPEN).values_list("session_id")
)


def asker(turn: SpiritTurn) -> events.PersonRef:
    """Who asked, by the id that others see and the name at that moment."""
    return events.PersonRef(turn.asker_id, turn.message.user_name or "")


def turn_data(turn: SpiritTurn) -> events.TurnData:
    """A turn as `welcome` tells it; `message` and `session` must be selected with it."""
    return events.TurnData(
        turn.id, turn.message_id, asker(turn), turn.session.spirit_persona, turn.started_at, turn.moves_at
    )


def spirits(session_ids: Iterable[UUID]) -> Callable[[], dict[UUID, events.WelcomeSpirit]]:
    """Ask what is being answered and what waits, in each of the sessions in which something is, as it was told last.

    It is asked together with what else is sent within `pipelined`; call for the answer.
    """
    asked = _asked.ask_of(session_ids)
    return lambda: _spirits({session_id for (session_id,) in asked()})


def _spirits(asked: Collection[UUID]) -> dict[UUID, events.WelcomeSpirit]:
    if not asked:  # as nearly always
        return {}
    open_ = SpiritTurn.objects.filter(session_id__in=asked, state__in=OPEN)
    rows = list(open_.select_related("message", "session").order_by("place"))
    found: dict[UUID, events.WelcomeSpirit] = {}
    for row in rows:
        spirit = found.setdefault(row.session_id, events.WelcomeSpirit(None, [], []))
        if row.state == TurnState.ACTIVE:
            found[row.session_id] = replace(spirit, turn=turn_data(row))
        elif row.place:
            spirit.queue.append(events.QuestionQueued(row.id, row.message_id, asker(row), row.place))
    for row in SpiritTurn.objects.filter(merged_into__in=rows, state=TurnState.MERGED).order_by("number"):
        if into := row.merged_into_id:
            found[row.session_id].merged.append(events.QuestionMerged(row.id, row.message_id, into))
    return found
