"""sessions_app, OAuth: the providers, from the setting OAUTH_PROVIDERS: a JSON list of objects.

`{"name": "google", "client_id": "…", "client_secret": "…"}` is enough for `google`, `github` and `discord`; any other
name is an OpenID provider, which its `issuer` describes (OpenID Connect Discovery).
"""

from functools import cache
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from sessions_app.errors import Code, SeanceError

Kind = Literal["openid", "github", "discord"]
Url = Annotated[str, Meta(pattern=r"^(https?://[^\s/?#]+[^\s?#]*)?$", max_length=500)]


class Provider(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider. Only one of kind `openid` has an issuer, only another one has addresses of its own."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    client_id: Annotated[str, Meta(min_length=1, max_length=500)]
    client_secret: str = ""
    title: Annotated[str, Meta(max_length=50)] = ""
    kind: Kind = "openid"
    issuer: Url = ""
    scope: str = "openid email profile"
    authorize_url: Url = ""
    token_url: Url = ""
    profile_url: Url = ""
    emails_url: Url = ""


class Profile(NamedTuple):
    """Who the provider says it is. `email` is empty unless the provider has verified that the person has it."""

    subject: str
    email: str
    name: str


# What is known of a provider by its name; the setting may say otherwise.
PRESETS: dict[str, dict[str, str]] = {
    "google": {"title": "Google", "issuer": "https://accounts.google.com"},
    "github": {
        "title": "GitHub",
        "kind": "github",
        "scope": "read:user user:email",
        "authorize_url": "https://github.com/login/oauth/authorize",
        "token_url": "https://github.com/login/oauth/access_token",
        "profile_url": "https://api.github.com/user",
        "emails_url": "https://api.github.com/user/emails",
    },
    "discord": {
        "title": "Discord",
        "kind": "discord",
        "scope": "identify email",
        "authorize_url": "https://discord.com/oauth2/authorize",
        "token_url": "https://discord.com/api/oauth2/token",
        "profile_url": "https://discord.com/api/users/@me",
    },
}
FORM = 'must be a JSON list of objects with "name", "client_id" and what else a provider needs'
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@cache
def load(text: str) -> dict[str, Provider]:
    """Providers by name; raises `ValueError` with one line that says what is wrong, and never a secret."""
    if not text:
        return {}
    try:
        items = msgspec.json.decode(text, type=list[dict[str, str]])
        rows = [{"title": item.get("name", ""), **PRESETS.get(item.get("name", ""), {}), **item} for item in items]
        found = msgspec.convert(rows, list[Provider])
    except (msgspec.DecodeError, UnicodeError):  # its words would quote what was given
        raise ValueError(FORM) from None
    for one in found:
        if one.kind == "openid" and not one.issuer:
            raise ValueError(f"must name the issuer of {one.name}")
        if one.kind != "openid" and not (one.authorize_url and one.token_url and one.profile_url):
            raise ValueError(f"must name authorize_url, token_url and profile_url of {one.name}")
        urls = (one.issuer, one.authorize_url, one.token_url, one.profile_url, one.emails_url)
        if any(url.startswith("http://") and urlsplit(url).hostname not in _LOOPBACK for url in urls):
            raise ValueError(f"must be https: the addresses of {one.name}")
    if len({one.name for one in found}) < len(found):
        raise ValueError("must name each provider once")
    return {one.name: one for one in found}


def check_issuer(provider: Provider, issuer: str | None) -> None:
    """A callback that names its issuer must name this provider's (RFC 9207); raises `UNAUTHORIZED`."""
    if issuer is not None and provider.kind == "openid" and issuer != provider.issuer:
        raise SeanceError(Code.UNAUTHORIZED, "The answer is another provider's.")
