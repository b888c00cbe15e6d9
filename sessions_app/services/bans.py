"""sessions_app, writes: who may not come in at all any more, and who must come in anew."""

from uuid import UUID

from django.db import transaction

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Act, Participant, RefreshToken, User
from sessions_app.publish import Notice, publish
from sessions_app.services.audit import record
from sessions_app.services.hosts import inherit
from sessions_app.services.log import lock_sessions
from sessions_app.services.seats import leave
from sessions_app.services.sockets import KICKED, SIGNED_OUT, close_sockets, sockets_of


def _person(user_id: UUID) -> User:
    row = User.objects.filter(pk=user_id).first()
    if row is None:
        raise SeanceError(Code.NOT_FOUND)
    return row


@transaction.atomic
def ban(*, actor: User | None, user_id: UUID) -> User:
    """Shut every door on a person: tokens are refused from now on, seats are freed, sockets closed with 4503.

    Twice is the same as once. Raises `NOT_FOUND`, `UNAUTHORIZED`, `FORBIDDEN`.
    """
    user = _person(user_id)
    policies.may_ban(actor, user)
    if not user.is_active:
        return user
    user.is_active = False
    user.save(update_fields=["is_active"])
    seats = Participant.objects.filter(user=user, left_at__isnull=True)
    sessions = lock_sessions(seats.values_list("session_id", flat=True))
    gone = list(seats.filter(session__in=sessions))
    for row in gone:
        row.session = sessions[row.session_id]
    at = events.now()
    notices = [*leave(gone, "kicked", at), *inherit(gone, at)]
    record(Act.BAN, actor=actor, target=user.id)
    publish([*notices, *_send_away(user, KICKED)])
    return user


@transaction.atomic
def unban(*, actor: User | None, user_id: UUID) -> User:
    """Let a person in again; tokens that were revoked stay so. Raises what `ban` raises."""
    user = _person(user_id)
    policies.may_ban(actor, user)
    if not user.is_active:
        user.is_active = True
        user.save(update_fields=["is_active"])
        record(Act.UNBAN, actor=actor, target=user.id)
    return user


@transaction.atomic
def sign_out(*, actor: User | None, user: User) -> None:
    """End what a person came in with: refresh tokens and, with 4001, the sockets. The caller has checked who may."""
    record(Act.SIGN_OUT, actor=actor, target=user.id)
    publish(_send_away(user, SIGNED_OUT))


def _send_away(user: User, close_code: int) -> list[Notice]:
    RefreshToken.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=events.now())
    return close_sockets(sockets_of(user), close_code)
