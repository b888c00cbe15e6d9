"""sessions_app, writes: whose turn it is in a circle. The seats ask one after the other; who waits 45 s is passed over.

The pointer is two fields of the session's row, moved under its lock. Time that has passed is counted when somebody
looks, so that no process has to be there at the right moment; the sweep only tells what has become of it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from sessions_app import events
from sessions_app.models import Mode, Participant, Role, Session, TurnState
from sessions_app.publish import Notice, notice, publish
from sessions_app.services.log import lock_sessions

SKIP_SECONDS = 45


def _seats(session: Session) -> list[Participant]:
    rows = Participant.objects.filter(session=session, left_at__isnull=True, kicked_at__isnull=True, is_muted=False)
    return list(rows.exclude(role=Role.OBSERVER).order_by("joined_at", "id"))


def _after(session: Session, seats: Sequence[Participant], user_id: UUID) -> int:
    """The index of the seat behind somebody, who may have left by now."""
    row = Participant.objects.filter(session=session, user_id=user_id).first()
    if row is None:
        return 0
    place = (row.joined_at, row.id)
    return next((n for n, seat in enumerate(seats) if (seat.joined_at, seat.id) > place), 0)


def whose_turn(session: Session, at: datetime) -> tuple[Participant, datetime] | None:
    """The seat that may ask in a locked session, and since when; None where nobody sits there."""
    seats = _seats(session)
    if not seats:
        return None
    since = session.circle_since or at
    index = next((n for n, seat in enumerate(seats) if seat.user_id == session.circle_seat), None)
    if index is None:
        index = _after(session, seats, session.circle_seat) if session.circle_seat else 0
        since = at
    passed = int((at - since).total_seconds() // SKIP_SECONDS)
    if passed > 0 and session.turns.filter(state__in=(TurnState.QUEUED, TurnState.ACTIVE)).exists():
        return seats[index], at  # nobody is passed over while all listen to an answer
    passed = max(0, passed)
    return seats[(index + passed) % len(seats)], since + timedelta(seconds=passed * SKIP_SECONDS)


def may_ask(session: Session, user_id: UUID, at: datetime) -> bool:
    """Whether it is this user's turn in a locked session of mode `circle`."""
    found = whose_turn(session, at)
    return found is None or found[0].user_id == user_id


def pass_on(session: Session) -> list[Notice]:
    """A question was asked: the next seat's turn begins. Returns what to publish."""
    at = events.now()
    seats, found = _seats(session), whose_turn(session, at)
    if found is None:
        return []
    index = next(n for n, seat in enumerate(seats) if seat.id == found[0].id)
    return _point(session, seats[(index + 1) % len(seats)], at)


def begin_anew(session: Session, at: datetime) -> None:
    """An answer was given: whoever is next has the whole time from now on."""
    if session.spirit_mode == Mode.CIRCLE and session.circle_seat is not None:
        session.circle_since = at
        session.save(update_fields=["circle_since"])


def _point(session: Session, seat: Participant, since: datetime) -> list[Notice]:
    session.circle_seat, session.circle_since = seat.user_id, since
    session.save(update_fields=["circle_seat", "circle_since"])
    return [notice(session.id, "circle_turn", _told(seat.user_id, seat.name, since))]


def _told(user_id: UUID | None, name: str, since: datetime) -> events.CircleTurn:
    return events.CircleTurn(events.PersonRef(user_id, name), since + timedelta(seconds=SKIP_SECONDS))


def as_told(session: Session, seated: Iterable[Participant]) -> events.CircleTurn | None:
    """Who may ask, as it was told last; None where there is no circle, nobody was told, or that person has left."""
    if session.spirit_mode != Mode.CIRCLE or session.circle_since is None:
        return None
    names = (seat.name for seat in seated if seat.user_id == session.circle_seat)
    name = next(names, None)
    return None if name is None else _told(session.circle_seat, name, session.circle_since)


@transaction.atomic
def pass_over(session_ids: Sequence[UUID]) -> None:
    """Move on in those of the circles where the time is over, or the seat's person gone, and tell it."""
    at = events.now()
    late = Q(circle_since__isnull=True) | Q(circle_since__lt=at - timedelta(seconds=SKIP_SECONDS))
    circles = Session.objects.filter(pk__in=session_ids, spirit_mode=Mode.CIRCLE, is_active=True)
    gone = [row.pk for row in circles.filter(circle_seat__isnull=False) if not _sits(row)]
    due = [*circles.filter(late).values_list("pk", flat=True), *gone]
    if not due:
        return
    for session in lock_sessions(due, wait=False).values():
        found = whose_turn(session, at)
        if found is not None and (found[0].user_id != session.circle_seat or session.circle_since is None):
            publish(_point(session, *found))


def _sits(session: Session) -> bool:
    return Participant.objects.filter(session=session, user=session.circle_seat, left_at__isnull=True).exists()
