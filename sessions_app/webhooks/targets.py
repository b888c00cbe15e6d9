"""sessions_app, webhooks: where a request may go: nowhere inside.

An address is looked at when the connection is made, and the connection goes to just that address: what a name meant
when the endpoint was entered, or will mean a moment later, does not matter. Only addresses of the public Internet are
let through; `WEBHOOK_ALLOW_INTERNAL` lets tests speak to the loopback.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Public to `ipaddress`, but ways to reach others: 6to4 and Teredo have an IPv4 address inside, NAT64 too.
_TUNNELS = tuple(ipaddress.IPv6Network(net) for net in ("2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48"))
# A cloud's metadata that is reachable under an address that counts as public.
_METADATA = (ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("100.100.100.200"))
URL_MAX = 500


class Forbidden(Exception):  # noqa: N818  told as a refusal or as the reason of a failure
    """A target that must not be spoken to; its text says why, for an operator."""


def check_address(text: str) -> Address:
    """An address that a connection may go to; raises `Forbidden`."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if settings.SEANCE.webhook_allow_internal:
        return address
    is_tunnel = isinstance(address, ipaddress.IPv6Address) and any(address in net for net in _TUNNELS)
    if not address.is_global or address.is_multicast or address.is_reserved or is_tunnel or address in _METADATA:
        raise Forbidden("the address is not one of the public Internet")
    return address


def check_url(url: str) -> str:
    """A URL that may be entered; raises `Forbidden`. A host that is a name is looked at when it is connected to."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Forbidden("this is no URL") from None
    schemes = {"https"} if settings.SEANCE.is_production else {"https", "http"}
    if parts.scheme not in schemes:
        raise Forbidden(f"the URL must begin with {' or '.join(sorted(schemes))}")
    if not host or len(url) > URL_MAX or not re.fullmatch(r"[!-~]+", url):
        raise Forbidden(f"a URL has a host and at most {URL_MAX} printable ASCII characters")
    if parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        raise Forbidden("a URL here has neither a user, a password, a fragment nor port 0")
    try:
        check_address(host)
    except ValueError:
        # No address, then a name: of those that end in a number (0x7f.1, 017700000001, 2130706433) some resolvers make
        # addresses, and no name of the public Internet ends so.
        if not re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9])?", host) or _ends_in_number(host):
            raise Forbidden("the host is neither a name nor an address as it is usually written") from None
        if not settings.SEANCE.webhook_allow_internal and ("." not in host or host.endswith(_INSIDE)):
            raise Forbidden("the host is a name of the inside") from None
    return url


_INSIDE = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa", ".onion")


def _ends_in_number(host: str) -> bool:
    last = host.rpartition(".")[2]
    return last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last) is not None
