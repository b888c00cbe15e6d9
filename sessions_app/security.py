"""sessions_app, the kitchen: tokens and passwords; the only module that knows which library makes them.

An access token is a signed JWT (`iss`, `aud`, `jti`, `sub` the user's id; `fam` the family of the refresh token it came
with, `ver` the version of the user's tokens); it is good until it expires, as long as user, family and version are. A
refresh token is a random string without a meaning, of which only the SHA-256 digest is stored: it is no JWT, so it can
never be taken for an access token.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import jwt
from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from jwt.algorithms import HMACAlgorithm
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken

from sessions_app.errors import Code, SeanceError


class _Hmac(HMACAlgorithm):
    """PyJWT looks with each token whether the secret is not by mistake a public key, a third of what a token costs;
    here once for each secret."""

    prepare_key = cache(HMACAlgorithm.prepare_key)


_ALGORITHM = settings.SEANCE.jwt_algorithm
jwt.unregister_algorithm(_ALGORITHM)
jwt.register_algorithm(_ALGORITHM, _Hmac(getattr(_Hmac, _ALGORITHM.replace("HS", "SHA"))))


class Claims(NamedTuple):
    """What a good access token says: whose it is, its id, and when it expires (seconds since 1970).

    `family` is null for a token that came without a refresh token; `version` is 0 where the token names none.
    """

    user_id: UUID
    jti: str
    expires_at: float
    family: UUID | None = None
    version: int = 0


def create_access_token(data: Mapping[str, Any], expires_delta: timedelta | None = None) -> str:
    """Sign `data` (with `sub`, a user's id) as an access token; the lifetime is the setting's unless given."""
    token = AccessToken()
    if expires_delta is not None:
        token.set_exp(lifetime=expires_delta)
    for key, value in data.items():
        token[key] = str(value) if isinstance(value, UUID) else value
    return str(token)


def verify_token(token: str) -> Claims:
    """Check signature, lifetime, issuer, audience and type; raises `UNAUTHORIZED`."""
    try:
        payload = AccessToken(token)  # type: ignore[arg-type]  # its stub wants its own type, its code wants text
        family = payload.get("fam")
        return Claims(
            user_id=UUID(payload["sub"]),
            jti=str(payload["jti"]),
            expires_at=float(payload["exp"]),
            family=None if family is None else UUID(family),
            version=int(payload.get("ver", 0)),
        )
    except (TokenError, KeyError, ValueError, TypeError, AttributeError, OverflowError):
        raise SeanceError(Code.UNAUTHORIZED, "The access token is not valid.") from None


def get_password_hash(password: str) -> str:
    """Hash a password (Argon2id)."""
    return make_password(password)


def verify_password(plain: str, hashed: str) -> bool:
    """Whether a password is the one that was hashed; takes as long for a hash that nobody can match."""
    return check_password(plain, hashed)


def new_refresh_token() -> str:
    """256 random bits, URL-safe: a refresh token, an invite, or whatever else works for whoever has it."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored of such a token: its SHA-256, 32 bytes. It is random, so it needs no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
