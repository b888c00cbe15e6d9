"""sessions_app, the kitchen: where a caller comes from, through exactly as many proxies as there are.

Each proxy appends to `X-Forwarded-For` the address it was called from. Of N of our own, the Nth entry from the end was
written by the outermost one; whatever stands before it, the client may have made up. Source: both doors, with the
setting TRUSTED_PROXY_COUNT.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from django.conf import settings

UNKNOWN = "unknown"  # a socket without an address, such as a Unix one
REMEMBERED = 1024  # addresses as they were written


def client_address(peer: str | None, forwarded: str) -> str:
    """Who calls: `peer` is at the other end of the connection, `forwarded` all the `X-Forwarded-For` there is.

    A request with fewer entries than proxies has not come through all of them, and is its peer's own.
    """
    hops = settings.SEANCE.trusted_proxy_count
    entries = forwarded.split(",") if forwarded else []
    written = entries[-hops].strip() if 0 < hops <= len(entries) else ""
    return _normal(written) or _normal(peer or "") or UNKNOWN


def counted_address(address: str) -> str:
    """What is counted as one address: of IPv6 the /64, which is what one subscriber has."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return f"{IPv6Address(int(found) >> 64 << 64)}/64" if isinstance(found, IPv6Address) else address


@lru_cache(REMEMBERED)
def _normal(written: str) -> str:
    """An address without a port, brackets or zone, and IPv4 as such; empty where it is none."""
    text = written.strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(found)
