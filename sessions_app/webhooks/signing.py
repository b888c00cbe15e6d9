"""sessions_app, webhooks: secrets and signatures, in the form of Standard Webhooks 1.0.

A secret is `whsec_` and base64 of 32 random bytes. What is signed is `<id>.<seconds>.<body>`, by HMAC-SHA256; the
header has one `v1,<base64>` for each secret that is good at the moment. Stored secrets are encrypted with a key that is
made of Django's `SECRET_KEY`, so that a copy of the database alone signs nothing.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

PREFIX = "whsec_"


class Unreadable(Exception):  # noqa: N818  told as the reason of a failure
    """A stored secret was encrypted under another `SECRET_KEY`."""


def new_secret() -> str:
    """A fresh secret, as the endpoint's owner gets it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, message_id: str, seconds: int, body: bytes) -> str:
    """The signature under one secret, with its version."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{seconds}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(good: Iterable[str], message_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers of a request, signed under each of the secrets."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(signature(secret, message_id, seconds, body) for secret in good),
    }


def _box() -> Fernet:
    key = hmac.new(settings.SECRET_KEY.encode(), b"webhook secrets", hashlib.sha256).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def seal(secret: str) -> str:
    """A secret as it is stored."""
    return _box().encrypt(secret.encode()).decode()


def unseal(stored: str) -> str:
    """A stored secret; raises `Unreadable`."""
    try:
        return _box().decrypt(stored.encode()).decode()
    except InvalidToken:
        raise Unreadable from None
