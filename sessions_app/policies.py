"""sessions_app, the kitchen: who may do what; the only place that answers it, asked by both doors.

Each predicate raises the `SeanceError` that the caller shall see, or returns.
"""

from uuid import UUID

from sessions_app.errors import Code, SeanceError, SeatLost
from sessions_app.models import Access, Mode, Participant, Role, Session, User


def require_user(user: User | None) -> User:
    """Somebody must be known."""
    if user is None:
        raise SeanceError(Code.UNAUTHORIZED)
    return user


def require_staff(user: User | None) -> User:
    """Staff only."""
    known = require_user(user)
    if not known.is_staff:
        raise SeanceError(Code.FORBIDDEN)
    return known


def may_know(session: Session, user: User | None, *, takes_part: bool, is_invited: bool = False) -> None:
    """Whether the session exists as far as this caller may know; otherwise the answer is that of nothing."""
    if session.access == Access.OPEN or is_invited or is_over(session, user):
        return
    if session.access == Access.MEMBERS:
        if user is None:
            raise SeanceError(Code.UNAUTHORIZED)
        if user.is_guest and not takes_part:
            raise SeanceError(Code.FORBIDDEN)
        return
    if not takes_part:
        raise SeanceError(Code.SESSION_NOT_FOUND)


def may_enter(session: Session, user: User | None, *, takes_part: bool) -> None:
    """Into a locked room nobody new comes, an invite or not; whoever took part, the host and staff come back."""
    if session.is_locked and not takes_part and not is_over(session, user):
        raise SeanceError(Code.FORBIDDEN, "The host has locked the room.")


def is_over(session: Session, user: User | None) -> bool:
    """Host and staff stand above what a session's access says."""
    return user is not None and (user.is_staff or session.host_id == user.id)


def may_manage(session: Session, user: User | None) -> None:
    """Host and staff change, end and moderate a session."""
    if not is_over(session, require_user(user)):
        raise SeanceError(Code.FORBIDDEN)


def may_moderate(session: Session, user: User | None, whom: UUID) -> None:
    """Host and staff, in a session that goes on, and nobody the host."""
    may_manage(session, user)
    if not session.is_active:
        raise SeanceError(Code.SESSION_ENDED)
    if whom == session.host_id:
        raise SeanceError(Code.FORBIDDEN, "Nobody does that to the host, who can hand the seat over.")


def may_ban(user: User | None, whom: User) -> None:
    """Staff ban people, superusers ban staff, and nobody oneself."""
    known = require_user(user)
    is_above = known.is_superuser or (known.is_staff and not whom.is_staff and not whom.is_superuser)
    if not is_above or known.id == whom.id:
        raise SeanceError(Code.FORBIDDEN)


def may_speak(participant: Participant | None, *, is_host: bool) -> None:
    """Whoever has a seat and a voice. An observer reads; the host may speak without sitting down, over REST."""
    if participant is None or participant.kicked_at is not None:
        raise SeanceError(Code.FORBIDDEN, "Take a seat in the session first.")
    if participant.role == Role.OBSERVER:
        raise SeanceError(Code.FORBIDDEN, "An observer reads and does not speak.")
    if participant.is_muted:
        raise SeanceError(Code.FORBIDDEN, "The host has muted you.")
    if participant.left_at is not None and not is_host:
        raise SeatLost


def may_delete(session: Session, author_id: object, user: User | None) -> None:
    """Author, host or staff."""
    known = require_user(user)
    if known.id not in (author_id, session.host_id) and not known.is_staff:
        raise SeanceError(Code.FORBIDDEN)


def may_ask_again(session: Session, asker: Participant | None, user: User | None) -> None:
    """Of those who may cancel a question: the asker with a voice, as for any other; host and staff nothing that
    somebody said who was sent away."""
    if not is_over(session, user):
        may_speak(asker, is_host=False)
    elif asker is not None and asker.kicked_at is not None:
        raise SeanceError(Code.FORBIDDEN, "Whoever asked this was sent away.")
    if session.spirit_mode == Mode.OFF:
        raise SeanceError(Code.FORBIDDEN, "The spirit answers nothing here.")
