"""Tests of coming in by OAuth: a provider of OpenID Connect, GitHub's and Discord's kind in one, on a loopback port.

It is strict where a good provider is: a code works once, for the client, the redirect URI and the PKCE verifier it was
made for. A test sets `person`, and bends what is signed by `forge`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID, CLIENT_SECRET = "seance-client", "seance-client's secret"
ADA = {"sub": "ada-1", "email": "ada@example.org", "email_verified": True, "name": "Ada Lovelace"}

Forge = Callable[[dict[str, Any], dict[str, Any]], "str | None"]


class Grant(NamedTuple):
    """What a code was made for."""

    redirect_uri: str
    challenge: str
    nonce: str
    scope: str


class LoopbackProvider:
    """The provider. `asked` has every path that was asked for."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.published = [self.key]
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()
        self.reset()

    def reset(self) -> None:
        self.person: dict[str, Any] = dict(ADA)
        self.in_userinfo: dict[str, Any] | None = None
        self.forge: Forge = lambda claims, header: None
        self.says_issuer = self.issuer
        self.fails: dict[str, int] = {}
        self.slow_seconds = 0.0
        self.codes: dict[str, Grant] = {}
        self.tokens: set[str] = set()
        self.asked: list[str] = []
        self.published = [self.key]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def settings(self, **more: Any) -> str:
        """OAUTH_PROVIDERS: itself as `house`, as `github` and as `discord`."""
        own = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        at = {"authorize_url": f"{self.issuer}/authorize", "token_url": f"{self.issuer}/token"}
        github = {"profile_url": f"{self.issuer}/user", "emails_url": f"{self.issuer}/emails"}
        return json.dumps([
            {"name": "house", "issuer": self.issuer, "title": "The house", **own, **more},
            {"name": "github", **own, **at, **github},
            {"name": "discord", **own, **at, "profile_url": f"{self.issuer}/@me"},
        ])  # fmt: skip

    # --- What it answers ----------------------------------------------------------------------------------------------

    def configuration(self) -> dict[str, Any]:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        found = {name: f"{self.issuer}/{path}" for name, path in names.items()}
        return {"issuer": self.says_issuer, "userinfo_endpoint": f"{self.issuer}/userinfo", **found}

    def approve(self, query: dict[str, str]) -> str:
        """The person says yes: where the browser goes next."""
        assert query["client_id"] == CLIENT_ID
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = Grant(query["redirect_uri"], query["code_challenge"], query.get("nonce", ""), query["scope"])
        back = {"code": code, "state": query["state"], "iss": self.issuer}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def trade(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The token endpoint."""
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if authorization != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        grant = self.codes.pop(form.get("code", ""), None)
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
        if grant is None or grant.redirect_uri != form.get("redirect_uri") or grant.challenge != challenge:
            return 400, {"error": "invalid_grant"}
        access = secrets.token_urlsafe(16)
        self.tokens.add(access)
        found = {"access_token": access, "token_type": "Bearer", "expires_in": 60}
        if "openid" in grant.scope.split():
            found["id_token"] = self.id_token(grant.nonce)
        return 200, found

    def id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce}
        told = {"sub": self.person["sub"]} if self.in_userinfo is not None else self.person
        claims, header = {**claims, **told}, {"alg": "RS256", "kid": "one"}
        forged = self.forge(claims, header)
        return forged if forged is not None else sign(claims, header, self.key)


def sign(claims: dict[str, Any], header: dict[str, Any], key: Any) -> str:
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])


def unsigned(claims: dict[str, Any]) -> str:
    """`alg: none`."""
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def signed_with_public_key(claims: dict[str, Any], key: RSAKey) -> str:
    """The old trick: the public key, which everybody has, taken for a secret."""
    signed = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(claims)}"
    mac = hmac.digest(key.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _handler(provider: LoopbackProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        routes: ClassVar[dict[str, str]] = {"/user": "github", "/emails": "emails", "/@me": "discord"}

        def log_message(self, *_: Any) -> None:
            """Quiet."""

        def _say(self, status: int, body: Any) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _begin(self) -> tuple[str, dict[str, str]] | None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            time.sleep(provider.slow_seconds)
            if parts.path in provider.fails:
                self._say(provider.fails[parts.path], {"error": "temporarily_unavailable"})
                return None
            return parts.path, dict(parse_qsl(parts.query))

        def do_GET(self) -> None:
            if (found := self._begin()) is None:
                return
            path, query = found
            person = provider.person
            if path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.approve(query))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif path == "/.well-known/openid-configuration":
                self._say(200, provider.configuration())
            elif path == "/jwks":
                self._say(200, {"keys": [key.as_dict(private=False) for key in provider.published]})
            elif self.headers.get("Authorization", "").removeprefix("Bearer ") not in provider.tokens:
                self._say(401, {"error": "invalid_token"})
            elif path == "/userinfo":
                self._say(200, provider.in_userinfo or person)
            elif path == "/user":
                self._say(200, {"id": 583231, "login": "ada", "name": person.get("name")})
            elif path == "/emails":
                other = {"email": "old@example.org", "primary": False, "verified": True}
                own = {"email": person["email"], "primary": True, "verified": person["email_verified"]}
                self._say(200, [other, own])
            else:
                self._say(200, {"id": "80351110224678912", "username": "ada", "global_name": None,
                                "email": person["email"], "verified": person["email_verified"]})  # fmt: skip

        def do_POST(self) -> None:
            if self._begin() is None:
                return
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._say(*provider.trade(form, self.headers.get("Authorization", "")))

    return Handler
