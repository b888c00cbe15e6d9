"""sessions_app, writes: the tokens that people come in with: given, renewed, and taken back.

A sign-in is a family of refresh tokens: each is traded once for the next. What ends a family ends its access tokens,
and asks every open socket of the person to come back with a token that is still good.
"""

import time
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.models import EndedFamily, OAuthAttempt, OneTimeToken, RefreshToken, User
from sessions_app.publish import publish
from sessions_app.security import create_access_token, digest, new_refresh_token
from sessions_app.services.sockets import SIGNED_OUT, close_sockets, sockets_of

TOGETHER_SECONDS = 0.5  # two that come this close are two tabs: the winner's commit and a busy loop fit into it
CONTEST_SECONDS = 10.0  # how long a token that several came with at once is only refused, and revokes nothing
WIRES = 1000

_wires: dict[UUID, str] = {}  # of the latest tokens that were traded here: by which connection each came


class Tokens(NamedTuple):
    """An access token and the refresh token that gets the next one."""

    access: str
    refresh: str


def access_token(user: User, family: UUID | None = None, lifetime: timedelta | None = None) -> str:
    """An access token of a user; with a family it ends when that does, and with a lifetime after that."""
    claims: dict[str, object] = {"sub": user.id}
    if family is not None:
        claims["fam"] = family
    if user.token_version:
        claims["ver"] = user.token_version
    return create_access_token(claims, lifetime)


@transaction.atomic
def issue_tokens(user: User, family: UUID | None = None) -> Tokens:
    """A fresh pair; `family` is that of the refresh token it replaces.

    Raises `UNAUTHORIZED` for a person whose sign-ins were ended, or who was erased, since `user` was read: whoever
    knows only the old password must not get in while it is being changed.
    """
    if family is None:
        check_unchanged(user)
    refresh, now, family = new_refresh_token(), events.now(), family or uuid7()
    RefreshToken.objects.create(
        user=user,
        family=family,
        digest=digest(refresh),
        created_at=now,
        expires_at=now + timedelta(days=settings.SEANCE.refresh_token_expire_days),
    )
    return Tokens(access_token(user, family), refresh)


def refresh_tokens(refresh: str, *, arrived_at: float | None = None, wire: str = "") -> tuple[User, Tokens]:
    """Trade a refresh token for a fresh pair. One that was used before revokes its whole family.

    Of several that come with the same token at the same time one wins, and the others are only refused: whoever was
    here (`arrived_at`, seconds of `time.monotonic`) before the winner, or a moment later, is no thief but a second
    tab. `wire` names the connection, if it is one client's: what comes by the winner's own comes after its answer.
    Raises `UNAUTHORIZED` for a token that is unknown, used, revoked or expired, or whose user is gone or banned.
    """
    arrived_at = time.monotonic() if arrived_at is None else arrived_at
    seen = RefreshToken.objects.filter(digest=digest(refresh)).first()
    pair = None
    if seen is not None:
        with transaction.atomic():
            pair = _trade(seen, arrived_at, wire)
    if pair is None:
        raise SeanceError(Code.UNAUTHORIZED, "The refresh token is not valid.")
    return pair


def _trade(seen: RefreshToken, arrived_at: float, wire: str) -> tuple[User, Tokens] | None:
    # The person is the lock, taken before any token's as everywhere; it keeps no message of theirs waiting.
    if connection.features.has_select_for_no_key_update:
        list(User.objects.select_for_update(no_key=True).filter(pk=seen.user_id).values_list("pk"))
    row = RefreshToken.objects.select_related("user").filter(pk=seen.pk).first()
    now = events.now()
    if row is None or row.revoked_at is not None or row.expires_at <= now or not row.user.is_active:
        return None
    if row.used_at is None:
        RefreshToken.objects.filter(pk=row.pk).update(used_at=Now())
        _wires[row.pk] = wire
        if len(_wires) > WIRES:
            _wires.pop(list(_wires)[0], None)  # noqa: RUF015  in one step, beside other threads
        return row.user, issue_tokens(row.user, row.family)
    here_for = time.monotonic() - arrived_at
    # On the database's clock, since the winner may have been served by another host.
    ago = ExpressionWrapper(Now() - F("used_at"), output_field=DurationField())
    used_ago = RefreshToken.objects.filter(pk=row.pk).values_list(ago, flat=True)[0].total_seconds()
    of_family = RefreshToken.objects.filter(family=row.family, created_at__gt=row.created_at)
    is_same_wire = bool(wire) and _wires.get(row.pk) == wire
    is_later = seen.used_at is not None and used_ago > here_for  # than the winner
    # And later than its answer, too, which came by this very connection, or was made use of.
    is_later = is_later and (is_same_wire or of_family.filter(used_at__isnull=False).exists())
    if not is_later and (seen.used_at is None or used_ago <= here_for + TOGETHER_SECONDS):
        RefreshToken.objects.filter(pk=row.pk).update(is_contested=True)
    elif is_later or not row.is_contested or used_ago > CONTEST_SECONDS:
        # Two hold the same token, and one of them stole it: neither keeps what came of it.
        end_family(row.user, row.family, now)
    return None


def revoke(refresh: str) -> None:
    """End the family of a refresh token; an unknown one is as good as revoked."""
    row = RefreshToken.objects.filter(digest=digest(refresh)).select_related("user").first()
    if row is not None:
        with transaction.atomic():
            end_family(row.user, row.family, events.now())


def end_family(user: User, family: UUID, at: datetime) -> None:
    """End one sign-in. All sockets of the person are closed with 4001: those of other sign-ins come right back.

    A socket does not know by which token it is still there, and one too many closed costs a moment.
    """
    lock_user(user.id)
    if RefreshToken.objects.filter(family=family, revoked_at__isnull=True).update(revoked_at=at):
        until = at + timedelta(minutes=settings.SEANCE.access_token_expire_minutes)
        EndedFamily.objects.get_or_create(family=family, defaults={"until": until})
        publish(close_sockets(sockets_of(user), SIGNED_OUT))


def end_all(user: User, close_code: int) -> None:
    """End every sign-in of a person: refresh tokens, access tokens and sockets. The caller saves nothing of it.

    What was begun with one of them, a mail or a way to a provider, ends too.
    """
    lock_user(user.id)
    RefreshToken.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=events.now())
    OneTimeToken.objects.filter(user=user).delete()
    OAuthAttempt.objects.filter(user=user).delete()
    User.objects.filter(pk=user.pk).update(token_version=F("token_version") + 1)
    user.refresh_from_db(fields=["token_version"])
    publish(close_sockets(sockets_of(user), close_code))


def check_unchanged(user: User) -> None:
    """Hold a person to the end of the transaction; raises `UNAUTHORIZED` where they are gone, banned or signed out
    everywhere since `user` was read."""
    rows = User.objects.filter(pk=user.pk, is_active=True, token_version=user.token_version)
    if connection.features.has_select_for_no_key_update:
        rows = rows.select_for_update(no_key=True)
    if not list(rows.values_list("pk")):
        raise SeanceError(Code.UNAUTHORIZED, "Come in anew.")


def lock_user(user_id: UUID) -> None:
    """Keep joins of this person out until the end of the transaction; those under way are waited for.

    A join reads its people FOR KEY SHARE, which only this lock conflicts with: whoever ends something first finds
    every socket that there is.
    """
    if connection.features.has_select_for_update:
        list(User.objects.select_for_update().filter(pk=user_id).values_list("pk"))


def purge() -> int:
    """Forget tokens that have expired; returns how many."""
    now = events.now()
    return sum(
        rows.delete()[0]
        for rows in (
            RefreshToken.objects.filter(expires_at__lte=now),
            EndedFamily.objects.filter(until__lte=now),
            OneTimeToken.objects.filter(expires_at__lte=now),
        )
    )
