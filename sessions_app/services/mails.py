"""sessions_app, writes: mails, and the tokens in them, each of which does one thing once.

Whoever asks for a mail learns nothing from it having been sent: every address gets one, whoever has it. What a token
does is a row; the token itself is random, so a mailbox that is read later, or a log of it, holds nothing but a number.
"""

from datetime import timedelta
from smtplib import SMTPException
from typing import Any

import structlog
from django.core.mail import send_mail

from sessions_app import events
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.models import OneTimeToken, TokenKind
from sessions_app.security import digest, new_refresh_token

log = structlog.get_logger("seance.accounts")

LIVES = {
    TokenKind.REGISTER: timedelta(days=1),
    TokenKind.UPGRADE: timedelta(days=1),
    TokenKind.PASSWORD: timedelta(hours=1),
    TokenKind.OAUTH: timedelta(minutes=1),
}
VERIFY = """Somebody, most likely you, wants an account at Séance with this address and a password they chose.

To make it, enter this code within a day:

{token}

If that was not you, do nothing: without the code there is no account.
"""
TAKEN = """Somebody, most likely you, wanted an account at Séance with this address.

There is one already: log in with it. If that was not you, nothing has changed and there is nothing to do.
"""
RESET = """Somebody, most likely you, wants a new password for the account at Séance with this address.

To set one, enter this code within an hour:

{token}

If that was not you, do nothing: without the code the password stays.
"""
UNKNOWN = """Somebody, most likely you, wanted a new password for an account at Séance with this address.

There is no account with it. Perhaps you came in with another address, or as a guest.
"""


def make_token(kind: TokenKind, **what: Any) -> str:
    """Store what a token does, and return it; what has expired meanwhile is forgotten."""
    now, token = events.now(), new_refresh_token()
    OneTimeToken.objects.filter(expires_at__lte=now).delete()
    OneTimeToken.objects.create(kind=kind, digest=digest(token), expires_at=now + LIVES[kind], **what)
    return token


def find_token(token: str, *kinds: TokenKind) -> OneTimeToken:
    """What a token does; raises `VALIDATION_ERROR` where it is none, old or used."""
    rows = OneTimeToken.objects.select_related("user").filter(kind__in=kinds, expires_at__gt=events.now())
    row = rows.filter(digest=digest(token)).first()
    if row is None:
        raise not_valid()
    return row


def use_up(row: OneTimeToken) -> None:
    """Inside the transaction that does what it says. Deleting is the lock: of two who come with it one deletes it."""
    if OneTimeToken.objects.filter(pk=row.pk).delete()[0] == 0:
        raise not_valid()


def not_valid() -> SeanceError:
    """Whatever is wrong with a token, this is all that is said of it."""
    return invalid(token="This token is not valid any more.")  # noqa: S106  a sentence


def send(to: str, subject: str, text: str) -> None:
    """Send a mail; raises `UNAVAILABLE` where none can be sent, which tells nothing about the address."""
    try:
        send_mail(subject, text, None, [to])
    except (SMTPException, OSError) as error:
        log.warning("mail_not_sent", error=type(error).__name__)
        raise SeanceError(Code.UNAVAILABLE, "No mail can be sent right now.") from None
