"""sessions_app, writes: coming in by an OAuth provider's word, and tying an account at a provider to oneself.

An account is never found by its e-mail address: whoever made it first may not be whom the provider means, and a
provider may be wrong about an address. Whoever has an account comes in with it and ties the provider to it; after that
the provider's own name for the person (`subject`) decides.
"""

import secrets
from datetime import timedelta
from hmac import compare_digest
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Identity, OAuthAttempt, TokenKind, User
from sessions_app.oauth.providers import Profile, Provider, load
from sessions_app.security import digest, new_refresh_token
from sessions_app.services import mails
from sessions_app.services.accounts import ANONYMOUS
from sessions_app.services.tokens import check_unchanged
from sessions_app.text import USER_NAME_MAX, clean_name

ATTEMPT_LIVES = timedelta(minutes=10)
_TAKEN = "There is an account with this address: come in with its password, then tie the provider to it."
_SOMEBODY_ELSES = "This account at the provider is tied to somebody else here."


class Begun(NamedTuple):
    """Where to send the browser, and the secret that ties the answer to it."""

    url: str
    browser: str


def providers() -> dict[str, Provider]:
    """The providers of the setting, by name."""
    return load(settings.SEANCE.oauth_providers)


def provider_of(name: str) -> Provider:
    """One of them; raises `NOT_FOUND`."""
    found = providers().get(name)
    if found is None:
        raise SeanceError(Code.NOT_FOUND)
    return found


def begin(
    *, provider: Provider, redirect_uri: str, actor: User | None, browser: str, return_to: str, by_cookie: bool
) -> Begun:
    """Send a browser to a provider; with an actor to tie the provider to that person. Raises `UNAVAILABLE`, and
    `UNAUTHORIZED` for an actor who was signed out a moment ago.

    `browser` is the secret that the browser has already, from another attempt, or empty.
    """
    from sessions_app.oauth import client  # Authlib, which most processes never need, takes long to load

    state, browser, now = new_refresh_token(), browser or new_refresh_token(), events.now()
    nonce, verifier = new_refresh_token(), secrets.token_urlsafe(48)
    url = client.authorize_url(provider, redirect_uri=redirect_uri, state=state, nonce=nonce, verifier=verifier)
    OAuthAttempt.objects.filter(expires_at__lte=now).delete()
    with transaction.atomic():
        if actor is not None:
            check_unchanged(actor)  # what ends sign-ins finds every attempt that there is
        OAuthAttempt.objects.create(
            provider=provider.name, digest=digest(state), browser=digest(browser), nonce=nonce, verifier=verifier,
            next=return_to, by_cookie=by_cookie, user=actor, expires_at=now + ATTEMPT_LIVES,
        )  # fmt: skip
    return Begun(url, browser)


def take_attempt(*, provider: Provider, state: str, browser: str) -> OAuthAttempt:
    """The attempt that a callback answers, used up; raises `FORBIDDEN` where this browser did not begin it."""
    rows = OAuthAttempt.objects.filter(provider=provider.name, expires_at__gt=events.now())
    row = rows.filter(digest=digest(state)).select_related("user").first()
    # Deleting is the lock: of two answers to one attempt one has deleted it.
    if row is None or not OAuthAttempt.objects.filter(pk=row.pk).delete()[0]:
        raise SeanceError(Code.FORBIDDEN, "This was not begun here, or took too long.")
    if not compare_digest(bytes(row.browser), digest(browser)):
        raise SeanceError(Code.FORBIDDEN, "This was not begun in this browser.")
    return row


def finish(*, provider: Provider, attempt: OAuthAttempt, redirect_uri: str, code: str) -> User:
    """Whoever the provider says it is: somebody known, a new account, or the person who wanted to be tied to it.

    Raises `UNAUTHORIZED`, `FORBIDDEN`, `UNAVAILABLE`.
    """
    from sessions_app.oauth import client

    found = client.profile(
        provider, redirect_uri=redirect_uri, code=code, nonce=attempt.nonce, verifier=attempt.verifier
    )
    try:
        with transaction.atomic():
            if attempt.user is not None:
                return _tie(attempt.user, provider, found)
            return _enter(provider, found)
    except IntegrityError:  # somebody was faster, with the same address or the same account at the provider
        raise SeanceError(Code.FORBIDDEN, _TAKEN) from None


def _enter(provider: Provider, found: Profile) -> User:
    user = _owner(provider, found)
    if user is not None:
        if not user.is_active:
            raise SeanceError(Code.UNAUTHORIZED, "This account is closed.")
        return user
    try:
        name = clean_name(found.name.strip()[:USER_NAME_MAX], limit=USER_NAME_MAX)
    except SeanceError:
        name = ANONYMOUS
    user = User(email=_free_address(found), name=name, is_guest=False, joined_at=events.now())
    user.set_unusable_password()
    user.save(force_insert=True)
    Identity.objects.create(user=user, provider=provider.name, subject=found.subject)
    return user


def _tie(user: User, provider: Provider, found: Profile) -> User:
    """Tie the provider to a person who asked for it; a guest becomes an account by it, and keeps everything."""
    check_unchanged(user)  # the provider took its time: an erasure in between is not undone
    user.refresh_from_db()  # nor is a mail's address, by which the guest may have become an account
    owner = _owner(provider, found)
    if owner is not None:
        if owner.id != user.id:
            raise SeanceError(Code.FORBIDDEN, _SOMEBODY_ELSES)
        return user
    if Identity.objects.filter(user=user, provider=provider.name).exists():
        raise SeanceError(Code.FORBIDDEN, "Another account at this provider is tied to you already.")
    if user.is_guest:
        user.email, user.is_guest = _free_address(found), False
        user.set_unusable_password()
        user.save(update_fields=["email", "is_guest", "password"])
    Identity.objects.create(user=user, provider=provider.name, subject=found.subject)
    return user


def _owner(provider: Provider, found: Profile) -> User | None:
    row = Identity.objects.filter(provider=provider.name, subject=found.subject).select_related("user").first()
    return row.user if row is not None else None


def _free_address(found: Profile) -> str:
    """The address that the provider vouches for, which nobody has here; raises `FORBIDDEN`."""
    address = found.email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise SeanceError(Code.FORBIDDEN, "The provider has not verified an e-mail address of yours.") from None
    if len(address) > 254 or User.objects.filter(email=address).exists():
        raise SeanceError(Code.FORBIDDEN, _TAKEN)
    return address


def untie(*, actor: User, provider: Provider) -> None:
    """Come in by this provider no more; raises `NOT_FOUND`, and `FORBIDDEN` for the only way in."""
    with transaction.atomic():
        rows = Identity.objects.filter(user=actor)
        if not rows.filter(provider=provider.name).exists():
            raise SeanceError(Code.NOT_FOUND)
        if not actor.has_usable_password() and rows.count() == 1:
            raise SeanceError(Code.FORBIDDEN, "It is your only way in: set a password first.")
        rows.filter(provider=provider.name).delete()


def hand_over_code(user: User) -> str:
    """A code that gets the tokens of a person once, within a minute: an address may hold it, as it may no token."""
    return mails.make_token(TokenKind.OAUTH, user=user)


def take_code(code: str) -> User:
    """Whose code it is; raises `VALIDATION_ERROR` for one that is none, old or used."""
    row = mails.find_token(code, TokenKind.OAUTH)
    with transaction.atomic():
        mails.use_up(row)
    if row.user is None or not row.user.is_active:
        raise mails.not_valid()
    return row.user
