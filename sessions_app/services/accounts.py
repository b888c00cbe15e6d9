"""sessions_app, writes: guests and accounts: how they come about, and what one may change of oneself."""

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from sessions_app import events
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.models import TokenKind, User
from sessions_app.prepared import insert
from sessions_app.security import get_password_hash, new_refresh_token, verify_password
from sessions_app.services import mails
from sessions_app.services.sockets import SIGNED_OUT
from sessions_app.services.tokens import (
    Tokens,
    access_token,
    check_unchanged,
    end_all,
    issue_tokens,
    lock_user,
    refresh_tokens,
    revoke,
)
from sessions_app.text import USER_NAME_MAX, clean_name

__all__ = [
    "ANONYMOUS", "Tokens", "access_token", "begin_registration", "begin_reset", "begin_upgrade", "change_password",
    "create_guest", "enter_as_guest", "finish_registration", "finish_reset", "issue_tokens", "login", "new_guest",
    "refresh_tokens", "register", "rename", "revoke", "upgrade",
]  # fmt: skip

ANONYMOUS = "Anonymous"
_TAKEN = "This address cannot be used."


def new_guest(*, name: str | None) -> User:
    """A guest: a person without an account, not stored yet. Raises `VALIDATION_ERROR`."""
    cleaned = ANONYMOUS if name is None else clean_name(name, limit=USER_NAME_MAX)
    return User(name=cleaned, is_guest=True, joined_at=events.now())


def create_guest(*, name: str | None) -> User:
    """A guest who is stored. Raises `VALIDATION_ERROR`."""
    guest = new_guest(name=name)
    insert([guest])
    return guest


def enter_as_guest(*, name: str) -> User:
    """A guest who comes of their own accord. Raises `FORBIDDEN` where `ALLOW_ANONYMOUS` is off, `VALIDATION_ERROR`."""
    if not settings.SEANCE.allow_anonymous:
        raise SeanceError(Code.FORBIDDEN, "Guests are not let in here.")
    return create_guest(name=name)


# --- Making an account ------------------------------------------------------------------------------------------------


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
        _check_password(password, user)
    except SeanceError as refused:
        wrong |= refused.details
    if wrong:
        raise invalid(**wrong)
    user.password = get_password_hash(password)
    return user


def _check_password(password: str, user: User) -> None:
    try:
        if "\x00" in password:
            raise ValidationError("Null characters are not allowed.")
        validate_password(password, user)
    except ValidationError as error:
        raise invalid(password=list(error.messages)) from None


def _store(user: User) -> bool:
    """Store a candidate; False where the address is taken. Raises `FORBIDDEN` where there is no such guest any more."""
    try:
        with transaction.atomic():
            if user._state.adding:
                user.save(force_insert=True)
                return True
            # The guest may have been erased, or have become another account, since the row was read.
            guest = User.objects.filter(pk=user.pk, is_active=True, is_guest=True)
            if not guest.update(email=user.email, name=user.name, password=user.password, is_guest=False):
                raise _no_guest()
    except IntegrityError:
        return False
    return True


def register(*, email: str, password: str, name: str) -> User:
    """A new account, at once. Raises `VALIDATION_ERROR`, also where the address is taken."""
    user = _candidate(email, password, name)
    if not _store(user):
        raise invalid(email=_TAKEN)
    return user


def begin_registration(*, email: str, password: str, name: str) -> None:
    """Send a mail to the address: with a token that makes the account, or, where there is one already, saying so.

    Raises `VALIDATION_ERROR`, and `UNAVAILABLE` where no mail can be sent; neither tells who has the address.
    """
    _mail_candidate(TokenKind.REGISTER, _candidate(email, password, name))


def begin_upgrade(*, actor: User, email: str, password: str, name: str | None) -> None:
    """The same for a guest, who becomes the account with the mail's token. Raises `FORBIDDEN` for an account."""
    _check_guest(actor)
    candidate = _candidate(email, password, actor.name if name is None else name)
    _mail_candidate(TokenKind.UPGRADE, candidate, actor)


def _mail_candidate(kind: TokenKind, candidate: User, guest: User | None = None) -> None:
    # The row is made for a taken address too, so that the work is the same; its token is sent to nobody.
    email = candidate.email or ""
    token = mails.make_token(kind, user=guest, email=email, name=candidate.name, password=candidate.password)
    is_taken = User.objects.filter(email=email).exists()
    mails.send(email, "Your Séance account", mails.TAKEN if is_taken else mails.VERIFY.format(token=token))


@transaction.atomic
def finish_registration(*, token: str) -> User:
    """Make the account that a mail's token stands for; raises `VALIDATION_ERROR` for one that is none, old or used."""
    row = mails.find_token(token, TokenKind.REGISTER, TokenKind.UPGRADE)
    if row.user is not None:
        lock_user(row.user.id)  # before the token, as by what ends both
    mails.use_up(row)
    user = User(email=row.email, name=row.name, password=row.password, is_guest=False, joined_at=events.now())
    if row.user is not None:
        _check_guest(row.user)
        user = _turned(row.user, user)
    if not _store(user):
        raise mails.not_valid()
    return user


def upgrade(*, actor: User, email: str, password: str, name: str | None) -> User:
    """Make a guest an account, who keeps id, seats, sessions and messages. Raises `FORBIDDEN` for an account, and
    `VALIDATION_ERROR`, also where the address is taken."""
    _check_guest(actor)
    user = _turned(actor, _candidate(email, password, actor.name if name is None else name))
    if not _store(user):
        raise invalid(email=_TAKEN)
    return user


def _check_guest(user: User) -> None:
    if not user.is_guest or not user.is_active:
        raise _no_guest()


def _no_guest() -> SeanceError:
    return SeanceError(Code.FORBIDDEN, "Only a guest can be made an account.")


def _turned(guest: User, candidate: User) -> User:
    """The guest's own row, as the account that the candidate is."""
    guest.email, guest.name, guest.password, guest.is_guest = candidate.email, candidate.name, candidate.password, False
    return guest


# --- Coming in, and changing oneself ----------------------------------------------------------------------------------


def login(*, email: str, password: str) -> User:
    """The account with this address and password; raises `UNAUTHORIZED`, always alike and after the same work."""
    address = email.strip().lower()
    user = None if "\x00" in address else User.objects.filter(email=address, is_guest=False).first()
    # An unknown address costs a hash too, and so does an account that has no password: the time of the answer does not
    # tell who has one.
    stored = user.password if user is not None and user.has_usable_password() else _unmatchable()
    if not verify_password(password, stored) or user is None or not user.is_active:
        raise SeanceError(Code.UNAUTHORIZED, "The address or the password is wrong.")
    return user


_hash_of_nothing: str | None = None


def _unmatchable() -> str:
    global _hash_of_nothing  # noqa: PLW0603  made once, when it is first needed: a hash is slow by design
    if _hash_of_nothing is None:
        _hash_of_nothing = get_password_hash(new_refresh_token())
    return _hash_of_nothing


def begin_reset(*, email: str) -> None:
    """Send a mail to the address: with a token that sets a new password, or saying that there is no such account.

    Raises `VALIDATION_ERROR` for what is no address, and `UNAVAILABLE` where no mail can be sent.
    """
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError as error:
        raise invalid(email=list(error.messages)) from None
    user = User.objects.filter(email=address, is_active=True).first()
    token = mails.make_token(TokenKind.PASSWORD, user=user, email=address)
    mails.send(address, "Your Séance password", mails.RESET.format(token=token) if user else mails.UNKNOWN)


def finish_reset(*, token: str, password: str) -> User:
    """Set the password that a mail's token stands for; whoever came in before must come in anew.

    Raises `VALIDATION_ERROR`; a password that is none leaves the token as it was.
    """
    row = mails.find_token(token, TokenKind.PASSWORD)
    user = row.user
    if user is None or not user.is_active or user.email != row.email:
        raise mails.not_valid()
    hashed = _hashed(password, user)
    with transaction.atomic():
        lock_user(user.id)  # before the token, as by what ends both
        mails.use_up(row)
        _set_password(user, hashed)
    return user


def change_password(*, actor: User, current: str | None, password: str) -> User:
    """Another password for an account; whoever came in with the old one must come in anew.

    Raises `FORBIDDEN` for a guest, `UNAUTHORIZED` where it was changed meanwhile, and `VALIDATION_ERROR`, also where
    `current` is not the password. An account that has none, since it came from a provider, gets its first one by a mail
    (`begin_reset`).
    """
    if actor.is_guest:
        raise SeanceError(Code.FORBIDDEN, "A guest has no password.")
    if not verify_password(current or "", actor.password):
        raise invalid(current_password="This is not the password.")  # noqa: S106  a sentence
    hashed = _hashed(password, actor)
    with transaction.atomic():
        check_unchanged(actor)  # of two who change it at once, one finds that it is another by now
        _set_password(actor, hashed)
    return actor


def _hashed(password: str, user: User) -> str:
    """The hash of a password that is good for this person. Slow by design, so never inside a transaction."""
    _check_password(password, user)
    return get_password_hash(password)


def _set_password(user: User, hashed: str) -> None:
    user.password = hashed
    user.save(update_fields=["password"])
    end_all(user, SIGNED_OUT)


def rename(*, actor: User, name: str) -> User:
    """Give oneself another name. What was said keeps the old one, a seat has it until the next joining."""
    actor.name = clean_name(name, limit=USER_NAME_MAX)
    if not User.objects.filter(pk=actor.pk, is_active=True).update(name=actor.name):
        raise SeanceError(Code.UNAUTHORIZED, "Come in anew.")  # erased a moment ago: no name is written back
    return actor
