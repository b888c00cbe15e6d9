"""sessions_app, writes: guests, accounts, and the tokens they come in with."""

from datetime import timedelta
from smtplib import SMTPException
from typing import NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q
from uuid_utils.compat import uuid7

from sessions_app import events
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.models import Connection, Message, Participant, RefreshToken, Session, User
from sessions_app.prepared import insert
from sessions_app.publish import Notice, publish
from sessions_app.security import create_access_token, digest, get_password_hash, new_refresh_token, verify_password
from sessions_app.text import USER_NAME_MAX, clean_name

log = structlog.get_logger("seance.accounts")

ANONYMOUS, ERASED = "Anonymous", "Someone"
SIGNED_OUT = 4500  # the close code of sockets whose user is no more
_VERIFICATION, _VERIFICATION_AGE = "seance.verification", timedelta(days=1)
_VERIFY = """Somebody, most likely you, wants an account at Séance with this address and a password they chose.

To make it, enter this code within a day:

{token}

If that was not you, do nothing: without the code there is no account.
"""
_TAKEN = """Somebody, most likely you, wanted an account at Séance with this address.

There is one already: log in with it. If that was not you, nothing has changed and there is nothing to do.
"""


class Tokens(NamedTuple):
    """An access token and the refresh token that gets the next one."""

    access: str
    refresh: str


def create_guest(*, name: str | None) -> User:
    """A guest: a person without an account. Raises `VALIDATION_ERROR`."""
    cleaned = ANONYMOUS if name is None else clean_name(name, limit=USER_NAME_MAX)
    user = User(name=cleaned, is_guest=True, joined_at=events.now())
    insert([user])
    return user


def access_token(user: User) -> str:
    """An access token of a user."""
    return create_access_token({"sub": user.id})


@transaction.atomic
def issue_tokens(user: User, family: UUID | None = None) -> Tokens:
    """A fresh pair; `family` is that of the refresh token it replaces."""
    refresh, now = new_refresh_token(), events.now()
    RefreshToken.objects.create(
        user=user,
        family=family or uuid7(),
        digest=digest(refresh),
        created_at=now,
        expires_at=now + timedelta(days=settings.SEANCE.refresh_token_expire_days),
    )
    return Tokens(access_token(user), refresh)


def enter_as_guest(*, name: str) -> User:
    """A guest who comes of their own accord. Raises `FORBIDDEN` where `ALLOW_ANONYMOUS` is off, `VALIDATION_ERROR`."""
    if not settings.SEANCE.allow_anonymous:
        raise SeanceError(Code.FORBIDDEN, "Guests are not let in here.")
    return create_guest(name=name)


def _candidate(email: str, password: str, name: str) -> User:
    """An account that is not stored yet, its password hashed. Raises `VALIDATION_ERROR` with every field that is wrong.

    Whether the address is taken plays no part, in what is answered nor in the work that is done.
    """
    wrong: dict[str, list[str]] = {}
    cleaned, address = "", email.strip().lower()
    try:
        cleaned = clean_name(name, limit=USER_NAME_MAX)
    except SeanceError as refused:
        wrong |= refused.details
    try:
        validate_email(address)
    except ValidationError as error:
        wrong["email"] = list(error.messages)
    user = User(email=address, name=cleaned, is_guest=False, joined_at=events.now())
    try:
        if "\x00" in password:
            raise ValidationError("Null characters are not allowed.")
        validate_password(password, user)
    except ValidationError as error:
        wrong["password"] = list(error.messages)
    if wrong:
        raise invalid(**wrong)
    user.password = get_password_hash(password)
    return user


def _store(user: User) -> bool:
    """Store a candidate; False where the address is taken."""
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def register(*, email: str, password: str, name: str) -> User:
    """A new account, at once. Raises `VALIDATION_ERROR`, also where the address is taken."""
    user = _candidate(email, password, name)
    if not _store(user):
        raise invalid(email="This address cannot be used.")
    return user


def begin_registration(*, email: str, password: str, name: str) -> None:
    """Send a mail to the address: with a token that makes the account, or, where there is one already, saying so.

    Nothing is stored: the signed token carries the account. Raises `VALIDATION_ERROR`, and `UNAVAILABLE` where no mail
    can be sent; neither tells who has the address.
    """
    user = _candidate(email, password, name)
    token = signing.dumps([user.email, user.name, user.password], salt=_VERIFICATION, compress=True)
    taken = User.objects.filter(email=user.email).exists()
    try:
        send_mail("Your Séance account", _TAKEN if taken else _VERIFY.format(token=token), None, [user.email or ""])
    except (SMTPException, OSError) as error:
        log.warning("mail_not_sent", error=type(error).__name__)
        raise SeanceError(Code.UNAVAILABLE, "No mail can be sent right now.") from None


def finish_registration(*, token: str) -> User:
    """Make the account that a mail's token carries; raises `VALIDATION_ERROR` for one that is old, used or forged."""
    refused = invalid(token="This token is not valid any more.")  # noqa: S106
    try:
        email, name, password = signing.loads(token, salt=_VERIFICATION, max_age=_VERIFICATION_AGE)
    except (signing.BadSignature, ValueError):
        raise refused from None
    user = User(email=email, name=name, password=password, is_guest=False, joined_at=events.now())
    if not _store(user):
        raise refused
    return user


def login(*, email: str, password: str) -> User:
    """The account with this address and password; raises `UNAUTHORIZED`, always alike and after the same work."""
    address = email.strip().lower()
    user = None if "\x00" in address else User.objects.filter(email=address, is_guest=False).first()
    # An unknown address costs a hash too, so that the time of the answer does not tell who has an account.
    stored = user.password if user is not None else _unmatchable()
    if not verify_password(password, stored) or user is None or not user.is_active:
        raise SeanceError(Code.UNAUTHORIZED, "The address or the password is wrong.")
    return user


_hash_of_nothing: str | None = None


def _unmatchable() -> str:
    global _hash_of_nothing  # noqa: PLW0603  made once, when it is first needed: a hash is slow by design
    if _hash_of_nothing is None:
        _hash_of_nothing = get_password_hash(new_refresh_token())
    return _hash_of_nothing


def refresh_tokens(refresh: str) -> tuple[User, Tokens]:
    """Trade a refresh token for a fresh pair. One that was used before revokes its whole family.

    Raises `UNAUTHORIZED` for one that is unknown, used, revoked or expired, or whose user is gone or banned.
    """
    refused = SeanceError(Code.UNAUTHORIZED, "The refresh token is not valid.")
    now = events.now()
    with transaction.atomic():
        rows = RefreshToken.objects.select_for_update(of=("self",)).select_related("user")
        row = rows.filter(digest=digest(refresh)).first()
        if row is None or row.revoked_at is not None or row.expires_at <= now or not row.user.is_active:
            raise refused
        if row.used_at is None:
            row.used_at = now
            row.save(update_fields=["used_at"])
            return row.user, issue_tokens(row.user, row.family)
        # Two hold the same token, and one of them stole it: neither keeps what came of it.
        RefreshToken.objects.filter(family=row.family, revoked_at__isnull=True).update(revoked_at=now)
    raise refused


def revoke(refresh: str) -> None:
    """End the family of a refresh token; an unknown one is as good as revoked."""
    family = RefreshToken.objects.filter(digest=digest(refresh)).values_list("family", flat=True).first()
    if family is not None:
        RefreshToken.objects.filter(family=family, revoked_at__isnull=True).update(revoked_at=events.now())


def rename(*, actor: User, name: str) -> User:
    """Give oneself another name. What was said keeps the old one, a seat has it until the next joining."""
    actor.name = clean_name(name, limit=USER_NAME_MAX)
    actor.save(update_fields=["name"])
    return actor


@transaction.atomic
def erase(*, actor: User) -> User:
    """Erase a person: what is left is a nameless shell that nobody can come in with; there is no way back.

    The row stays, so that seats and open sockets end in order and the sessions it hosts can still be read. E-mail
    address, password, rights and refresh tokens go; the name becomes "Someone", in seats and messages too. Messages
    keep their text, which is part of what others said, but no longer say whose they are: `user_id` becomes null.
    Open sockets are closed with 4500, and access tokens are refused from now on.
    """
    RefreshToken.objects.filter(user=actor).delete()
    actor.groups.clear()
    actor.user_permissions.clear()
    actor.name, actor.email, actor.is_guest, actor.is_active = ERASED, None, True, False
    actor.is_staff = actor.is_superuser = False
    actor.set_unusable_password()
    actor.save()
    # Through the sessions, whose log has an index: nobody speaks where they neither sit nor are the host.
    places = Session.objects.filter(Q(participants__user=actor) | Q(host=actor)).values("pk")
    Message.objects.filter(session__in=places, user=actor).update(user=None, user_name=ERASED)
    seats = Participant.objects.filter(user=actor)
    seats.update(name=ERASED)
    Connection.objects.filter(participant__user=actor).update(close_code=SIGNED_OUT)
    seated = seats.filter(left_at__isnull=True).values_list("session_id", flat=True)
    publish([Notice(str(key), "", "", close=str(actor.id), close_code=SIGNED_OUT) for key in seated])
    return actor
