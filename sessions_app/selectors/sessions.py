"""sessions_app, reads: sessions and their people."""

from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Access, Connection, Participant, Role, Session, User
from sessions_app.prepared import Prepared, columns, instance
from sessions_app.selectors.invites import good_invite
from sessions_app.selectors.shapes import participant_data, session_data


def with_count(rows: QuerySet[Session]) -> QuerySet[Session]:
    """The rows with `taken`, the number of seats that are taken."""
    seated = Participant.objects.filter(session=OuterRef("pk"), left_at__isnull=True).exclude(role=Role.OBSERVER)
    count = seated.order_by().values("session").annotate(count=Count("pk")).values("count")
    return rows.annotate(taken=Coalesce(Subquery(count), 0))


def taken_seats(session_id: UUID) -> int:
    """How many seats of a session are taken."""
    seated = Participant.objects.filter(session_id=session_id, left_at__isnull=True)
    return seated.exclude(role=Role.OBSERVER).count()


_by_id = Prepared(lambda ids, _: Session.objects.filter(pk=ids[0]).values_list(*columns(Session)))
_counted = Prepared(
    lambda ids, _: with_count(Session.objects.filter(pk=ids[0])).values_list(*columns(Session), "taken")
)


def check_knows(row: Session, user: User | None, invite: str | None = None) -> None:
    """Whether this caller may know of a session, perhaps by an invite's code; raises what `policies.may_know` raises.

    A query only where the session is not open, and the caller neither its host nor staff.
    """
    if row.access == Access.OPEN or policies.is_over(row, user):
        return
    places = Participant.objects.filter(session=row, user=user).values_list("kicked_at")
    place = places.first() if user is not None else None
    was_kicked = place is not None and place[0] is not None
    policies.may_know(
        row,
        user,
        takes_part=place is not None and not was_kicked,
        is_invited=not was_kicked and good_invite(row.id, invite) is not None,
    )


def visible_session(session_id: UUID, user: User | None, invite: str | None = None) -> Session:
    """The session's row, if this caller may know of it; raises what `policies.may_know` raises."""
    return _checked(_by_id.rows(session_id), user, invite)


def get_session(session_id: UUID, user: User | None, invite: str | None = None) -> events.SessionData:
    """A session as it is told."""
    found = _counted.rows(session_id)
    return session_data(_checked([values[:-1] for values in found], user, invite), found[0][-1])


def _checked(found: list[tuple[Any, ...]], user: User | None, invite: str | None) -> Session:
    if not found:
        raise SeanceError(Code.SESSION_NOT_FOUND)
    row = instance(Session, found[0])
    check_knows(row, user, invite)
    return row


def listed_sessions(user: User | None) -> QuerySet[Session]:
    """What the list shows: listed sessions, with a token also one's own and those one took part in; staff see all."""
    rows = with_count(Session.objects.all())
    if user is not None and user.is_staff:
        return rows
    shown = Q(is_listed=True, access="open")
    if user is not None:
        took_part = Participant.objects.filter(session=OuterRef("pk"), user=user, kicked_at__isnull=True)
        shown |= Q(host=user) | Q(Exists(took_part))
        if not user.is_guest:
            shown |= Q(is_listed=True, access="members")
    return rows.filter(shown)


def sits(session_id: UUID, user_id: UUID) -> bool:
    """Whether somebody has a place in a session now."""
    return Participant.objects.filter(session_id=session_id, user_id=user_id, left_at__isnull=True).exists()


def check_voice(session_id: UUID, user_id: UUID) -> None:
    """Whether somebody may speak in a session now; raises `FORBIDDEN`."""
    row = Participant.objects.filter(session_id=session_id, user_id=user_id).select_related("session").first()
    policies.may_speak(row, is_host=row is not None and row.session.host_id == user_id)


def participants(session_id: UUID) -> list[events.ParticipantData]:
    """Everybody who is or was in a session, in the order of their first coming."""
    present = Connection.objects.filter(participant=OuterRef("pk"))
    rows = Participant.objects.filter(session_id=session_id).annotate(present=Exists(present))
    return [participant_data(row, is_present=row.present) for row in rows.order_by("joined_at", "id")]
