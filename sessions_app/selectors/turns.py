"""sessions_app, reads: turns of the spirit."""

from collections.abc import Iterable
from uuid import UUID

from sessions_app import events
from sessions_app.models import SpiritTurn, TurnState


def asker(turn: SpiritTurn) -> events.PersonRef:
    """Who asked, by the id that others see and the name at that moment."""
    return events.PersonRef(turn.asker_id, turn.message.user_name or "")


def turn_data(turn: SpiritTurn) -> events.TurnData:
    """A turn as `welcome` tells it; `message` and `session` must be selected with it."""
    return events.TurnData(
        turn.id, turn.message_id, asker(turn), turn.session.spirit_persona, turn.started_at, turn.moves_at
    )


def active_turns(session_ids: Iterable[UUID]) -> dict[UUID, events.TurnData]:
    """The turn that is being answered in each of the sessions that have one."""
    rows = SpiritTurn.objects.filter(session_id__in=list(session_ids), state=TurnState.ACTIVE)
    return {row.session_id: turn_data(row) for row in rows.select_related("message", "session")}
