"""sessions_app, OAuth: the conversation with a provider: the code flow with PKCE, and what its answer says.

Authlib speaks OAuth, joserfc checks what is signed. Everything that a provider says is checked before it is believed:
issuer, audience, signature by one of the provider's own keys, times, nonce. It has a few seconds, and one more try
never. Source: RFC 6749, 7636, 9207; OpenID Connect Core 3.1.
"""

import re
import ssl
import threading
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import httpx2
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sessions_app.errors import Code, SeanceError
from sessions_app.oauth.providers import Profile, Provider

log = structlog.get_logger("seance.oauth")

TIMEOUT = httpx2.Timeout(5.0)
KEPT_SECONDS, AGAIN_SECONDS = 3600.0, 30.0  # a provider's description and keys; when a key is looked for anew
LEEWAY_SECONDS = 60
# Signatures by a key of the provider's that only the provider has: neither `none` nor a secret that two know.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


class Invalid(Exception):  # noqa: N818  told as a SeanceError
    """The provider said something that must not be believed."""


def authorize_url(provider: Provider, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
    """Where to send the browser. Raises `UNAVAILABLE` where the provider cannot be asked where that is."""
    with _client(provider, redirect_uri) as client:
        extra = {"nonce": nonce} if provider.kind == "openid" else {}
        url = _endpoint(provider, "authorization_endpoint", provider.authorize_url)
        found, _ = client.create_authorization_url(url, state=state, code_verifier=verifier, **extra)
        return str(found)


def profile(provider: Provider, *, redirect_uri: str, code: str, nonce: str, verifier: str) -> Profile:
    """Trade the code of a callback for a profile.

    Raises `UNAUTHORIZED` for an answer that must not be believed, and `UNAVAILABLE` for none.
    """
    try:
        with _client(provider, redirect_uri) as client:
            url = _endpoint(provider, "token_endpoint", provider.token_url)
            token = client.fetch_token(url, grant_type="authorization_code", code=code, code_verifier=verifier)
            return _READERS[provider.kind](provider, client, token, nonce)
    except (AuthlibBaseError, JoseError, Invalid, ValueError, KeyError, TypeError, AttributeError) as error:
        # An error may have the provider's words, or quote a token: only its kind is for a log.
        log.warning("oauth_refused", provider=provider.name, error=type(error).__name__, reason=_reason(error))
        raise SeanceError(Code.UNAUTHORIZED, "The provider's answer is not valid.") from None
    except httpx2.HTTPError as error:
        raise _away(provider, error) from None


def _client(provider: Provider, redirect_uri: str) -> Any:
    return OAuth2Client(
        client_id=provider.client_id,
        client_secret=provider.client_secret or None,
        redirect_uri=redirect_uri,
        scope=provider.scope,
        code_challenge_method="S256",
        leeway=0,  # a token that lives for a minute is long enough for the one question that it is for
        verify=_tls(),
        timeout=TIMEOUT,
        follow_redirects=False,
    )


@cache
def _tls() -> ssl.SSLContext:
    """Once: reading the authorities takes a tenth of a second."""
    return ssl.create_default_context()


def _away(provider: Provider, error: Exception) -> SeanceError:
    log.warning("oauth_provider_away", provider=provider.name, error=type(error).__name__)
    return SeanceError(Code.UNAVAILABLE, "The provider does not answer.", retry_after_ms=5000)


def _reason(error: Exception) -> str:
    """A short word of a closed alphabet, such as `invalid_grant` or `bad_signature`."""
    said = str(getattr(error, "error", "") or "")
    return said if re.fullmatch(r"[a-z_]{1,40}", said) else ""


# --- What a provider says of itself -----------------------------------------------------------------------------------

_lock = threading.Lock()
_known: dict[str, tuple[float, dict[str, Any]]] = {}


def forget() -> None:
    """Ask every provider anew."""
    _known.clear()


def _described(url: str, *, no_older_than: float = KEPT_SECONDS) -> dict[str, Any]:
    """A JSON object at a provider's address, kept for a while."""
    with _lock:
        read_at, found = _known.get(url, (0.0, {}))
    if not read_at or time.monotonic() - read_at > no_older_than:
        with httpx2.Client(verify=_tls(), timeout=TIMEOUT, follow_redirects=False) as client:
            found = _object(client.get(url, headers={"Accept": "application/json"}))
        with _lock:
            _known[url] = (time.monotonic(), found)
    return found


def _object(response: httpx2.Response) -> dict[str, Any]:
    response.raise_for_status()
    found = response.json()
    if not isinstance(found, dict):
        raise Invalid
    return found


def _metadata(provider: Provider) -> dict[str, Any]:
    found = _described(provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
    if found.get("issuer") != provider.issuer:
        raise Invalid
    return found


def _endpoint(provider: Provider, name: str, given: str) -> str:
    """An address of the provider's: the setting's, or of an OpenID provider the one it names itself."""
    if given:
        return given
    try:
        url = str(_metadata(provider)[name])
    except httpx2.HTTPError as error:
        raise _away(provider, error) from None
    except (Invalid, KeyError, ValueError) as error:
        raise _away(provider, error) from None
    if not url.startswith("https://") and not provider.issuer.startswith("http://"):
        raise _away(provider, Invalid())
    return url


# --- What it says of a person -----------------------------------------------------------------------------------------


def _openid(provider: Provider, client: Any, token: Mapping[str, Any], nonce: str) -> Profile:
    claims = _id_token(provider, token, nonce)
    said: Mapping[str, Any] = claims
    if "email" not in claims and (url := _metadata(provider).get("userinfo_endpoint")):
        said = _object(client.get(url))
        if said.get("sub") != claims["sub"]:
            raise Invalid
    is_verified = said.get("email_verified") in (True, "true")
    name = said.get("name") or said.get("preferred_username") or said.get("nickname") or ""
    return _profile(claims["sub"], said.get("email") if is_verified else "", name)


def _id_token(provider: Provider, token: Mapping[str, Any], nonce: str) -> CodeIDToken:
    raw, url = str(token["id_token"]), _endpoint(provider, "jwks_uri", "")
    try:
        found = _decoded(raw, _described(url))
    except (JoseError, ValueError):
        # Keys are changed now and then: look again, though not for each forger who comes along.
        found = _decoded(raw, _described(url, no_older_than=AGAIN_SECONDS))
    options: Any = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": provider.client_id},
    }
    parameters = {"nonce": nonce, "client_id": provider.client_id, "access_token": token.get("access_token")}
    claims = CodeIDToken(found.claims, found.header, options, parameters)
    claims.validate(leeway=LEEWAY_SECONDS)
    if claims.get("nonce") != nonce:
        raise Invalid
    return claims


def _decoded(raw: str, keys: dict[str, Any]) -> jwt.Token:
    return jwt.decode(raw, KeySet.import_key_set(cast(Any, keys)), algorithms=ALGORITHMS)


def _github(provider: Provider, client: Any, token: Mapping[str, Any], nonce: str) -> Profile:
    said = _object(client.get(provider.profile_url))
    response = client.get(provider.emails_url)
    response.raise_for_status()
    good = [row["email"] for row in response.json() if row["primary"] is True and row["verified"] is True]
    return _profile(said["id"], good[0] if good else "", said.get("name") or said["login"])


def _discord(provider: Provider, client: Any, token: Mapping[str, Any], nonce: str) -> Profile:
    said = _object(client.get(provider.profile_url))
    email = said.get("email") if said.get("verified") is True else ""
    return _profile(said["id"], email, said.get("global_name") or said["username"])


def _profile(subject: Any, email: Any, name: Any) -> Profile:
    found = str(subject)
    if isinstance(subject, bool) or not isinstance(subject, str | int) or not 0 < len(found) <= 255:
        raise Invalid
    return Profile(found, email if isinstance(email, str) else "", name if isinstance(name, str) else "")


_READERS = {"openid": _openid, "github": _github, "discord": _discord}
