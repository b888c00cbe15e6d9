"""sessions_app, the kitchen: REDIS_URL, read in one place: one server, by TLS or not, a Unix socket, or Sentinels.

    redis://[[user]:password@]host[:6379][/db]
    rediss://…                                                 the same by TLS
    unix://[[user]:password@]/path/of/the/socket[?db=0]
    sentinel://[[user]:password@]host[:26379][,host…]/service[/db]     whoever the Sentinels say is the primary
    sentinels://…                                              the same by TLS, Redis and Sentinels both

In user and password whatever means something in a URL is percent-encoded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

REDIS_PORT, SENTINEL_PORT = 6379, 26379
SPELLINGS = "redis://host:6379/0, rediss://…, unix:///path or sentinel://host:26379,host:26379/service/0"
_SENTINEL = ("sentinel", "sentinels")
_TLS = ("rediss", "sentinels")
_SCHEMES = ("redis", "unix", *_TLS, "sentinel")
# Parameters as redis-py spells them, and those of the Sentinels.
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OF_TLS = (*_FILES, "ssl_password", "ssl_cert_reqs", "ssl_check_hostname")
_OF_SENTINEL = ("sentinel_username", "sentinel_password", "sentinel_ssl")
_DIGITS = re.compile(r"[0-9]{1,5}\Z", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._-]+\Z|\[[0-9A-Fa-f:.]+\]\Z", re.ASCII)
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


class WrongUrl(ValueError):
    """It cannot be read; the text says what is wrong in one line, and shows nothing of the URL."""


class Address(NamedTuple):
    """Where Redis is. `hosts` are of Redis, or of the Sentinels that know where `service` is; none: a Unix socket.

    `options` are redis-py's, of a connection to Redis; `sentinel_options` of one to a Sentinel. `ssl` in them says TLS.
    """

    hosts: tuple[tuple[str, int], ...]
    service: str
    options: dict[str, Any]
    sentinel_options: dict[str, Any]


def parse(url: str) -> Address:
    """Read it; raises `WrongUrl`. The files that it names must be there and be readable."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise WrongUrl(f"must be {SPELLINGS}") from None
    if parts.scheme not in _SCHEMES or "://" not in url or re.search(r"\s", url):
        raise WrongUrl(f"must be {SPELLINGS}")
    if parts.fragment or url.endswith("#"):
        raise WrongUrl("must not have a #; in a password it is %23")
    given = _parameters(parts)
    userinfo, _, places = parts.netloc.rpartition("@")
    user, _, password = (unquote(part) for part in userinfo.partition(":"))
    options: dict[str, Any] = {
        "username": user or given.get("username") or None,
        "password": password or given.get("password") or None,
    }
    if parts.scheme == "unix":
        if places or not parts.path.strip("/"):
            raise WrongUrl("must be unix:///path/of/the/socket")
        return Address((), "", {**options, "path": unquote(parts.path), "db": _db(given.get("db", ""))}, {})
    is_sentinel = parts.scheme in _SENTINEL
    hosts = tuple(_host(place, SENTINEL_PORT if is_sentinel else REDIS_PORT) for place in places.split(","))
    if len(hosts) > 1 and not is_sentinel:
        raise WrongUrl("names several servers, which only sentinel:// and sentinels:// may")
    tls = _tls(given) if parts.scheme in _TLS else {}
    service, _, db = parts.path[1:].partition("/") if is_sentinel else ("", "", parts.path[1:])
    options |= {"db": _db(given.get("db") or db), **tls}
    if not is_sentinel:
        return Address(hosts, "", options, {})
    if not service:
        raise WrongUrl("must name the service after the Sentinels: sentinel://host:26379,host:26379/service/0")
    of_sentinels = {
        "username": given.get("sentinel_username") or None,
        "password": given.get("sentinel_password") or None,
        **(tls if _boolean("sentinel_ssl", given.get("sentinel_ssl", "true")) else {}),
    }
    return Address(hosts, unquote(service), options, of_sentinels)


def _parameters(parts: SplitResult) -> dict[str, str]:
    allowed = ["db", "username", "password"]
    allowed += _OF_TLS if parts.scheme in _TLS else ()
    allowed += _OF_SENTINEL if parts.scheme in _SENTINEL else ()
    try:
        found = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        found = [("", "")]
    if any(name not in allowed for name, _ in found):  # the name is not shown: it may be the rest of a password
        raise WrongUrl(f"has a parameter that {parts.scheme}:// does not know; it knows {', '.join(allowed)}")
    return dict(found)


def _host(place: str, port: int) -> tuple[str, int]:
    name, colon, number = place.rpartition(":") if re.search(r":[0-9]*\Z", place) else (place, "", "")
    if place.startswith("[") and place.endswith("]"):
        name, colon, number = place, "", ""
    if not _HOST.match(name):
        raise WrongUrl(f"must name its hosts: {SPELLINGS}")
    if colon and not (_DIGITS.match(number) and 0 < int(number) < 65536):
        raise WrongUrl("has a port that is not a number from 1 to 65535")
    return name.strip("[]"), int(number) if colon else port


def _db(text: str) -> int:
    text = text.removesuffix("/")
    if text and not _DIGITS.match(text):
        raise WrongUrl("has a database that is not a number, as /0 is")
    return int(text or 0)


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise WrongUrl(f"must have true or false as {name}")
    return text.lower() in _TRUE


def _tls(given: Mapping[str, str]) -> dict[str, Any]:
    for name in _FILES:
        if name in given and not (os.path.isfile(given[name]) and os.access(given[name], os.R_OK)):
            raise WrongUrl(f"names a file as {name} that is not there, or cannot be read")
    if given.get("ssl_keyfile") and not given.get("ssl_certfile"):
        raise WrongUrl("must have ssl_certfile with ssl_keyfile")
    required = given.get("ssl_cert_reqs", "required")
    if required not in ("required", "optional", "none"):
        raise WrongUrl("must have required, optional or none as ssl_cert_reqs")
    checks = _boolean("ssl_check_hostname", given.get("ssl_check_hostname", "true")) and required != "none"
    texts = {name: given[name] for name in (*_FILES, "ssl_password") if given.get(name)}
    return {"ssl": True, "ssl_cert_reqs": required, "ssl_check_hostname": checks, **texts}
