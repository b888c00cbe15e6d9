"""sessions_app, writes: who may not come in at all any more, and who must come in anew."""

from uuid import UUID

from django.db import transaction

from sessions_app import policies
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Act, User
from sessions_app.publish import publish
from sessions_app.services.audit import record
from sessions_app.services.departures import settled, vacate
from sessions_app.services.sockets import KICKED, SIGNED_OUT
from sessions_app.services.tokens import end_all


def _person(user_id: UUID) -> User:
    row = User.objects.filter(pk=user_id).first()
    if row is None:
        raise SeanceError(Code.NOT_FOUND)
    return row


def ban(*, actor: User | None, user_id: UUID) -> User:
    """Shut every door on a person: tokens are refused from now on, seats are freed, sockets closed with 4503.

    A join under way is waited for, and its socket closed too. Twice is the same as once. Raises `NOT_FOUND`,
    `UNAUTHORIZED`, `FORBIDDEN`.
    """
    policies.require_staff(actor)
    user = _person(user_id)
    policies.may_ban(actor, user)
    return settled(lambda: _ban(actor, user)) if user.is_active else user


def _ban(actor: User | None, user: User) -> User:
    notices = vacate(user, "kicked")
    user.is_active = False
    user.save(update_fields=["is_active"])
    end_all(user, KICKED)
    record(Act.BAN, actor=actor, target=user.id)
    publish(notices)
    return user


@transaction.atomic
def unban(*, actor: User | None, user_id: UUID) -> User:
    """Let a person in again; tokens that were revoked stay so. Raises what `ban` raises."""
    policies.require_staff(actor)
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
    end_all(user, SIGNED_OUT)
