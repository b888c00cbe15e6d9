"""sessions_app, the kitchen: what is wrong with the database, in a word that anybody may read.

What the database or its driver say themselves has addresses, names of roles and more in it: it never leaves here.
"""

import socket
import ssl
import struct
from functools import cache

from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader

_WISH_FOR_TLS = struct.pack("!ii", 8, 80877103)  # PostgreSQL's SSLRequest
_EXPIRED = 10  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED
# What is said, in lower case, and our word for it: the first that fits. Those of Redis are the same where they can be.
_WORDS = (
    ("password authentication failed", "wrong_password"),
    ("no password supplied", "wrong_password"),
    ("certificate has expired", "certificate_expired"),
    ("certificate verify failed", "certificate_not_trusted"),
    ("does not match host name", "certificate_of_another_host"),
    ("root certificate file", "certificate_not_trusted"),
    ("server does not support ssl", "no_tls"),
    ("no pg_hba.conf entry", "no_permission"),
    ("unsupported startup parameter", "pooler_not_named"),
    ("query_wait_timeout", "no_free_connection"),
    ("too many clients", "no_free_connection"),
    ("connection slots", "no_free_connection"),
    ("too many connections", "no_free_connection"),
    ("starting up", "starting"),
    ("shutting down", "stopping"),
    ("in recovery mode", "recovering"),
    ("conflict with recovery", "recovering"),
    ("connection refused", "nobody_listens"),
    ("name or service not known", "unknown_host"),
    ("could not translate host name", "unknown_host"),
    ("failed to resolve host", "unknown_host"),
    ("timeout", "timeout"),
    ("permission denied", "no_permission"),
)


def reason(error: BaseException, alias: str = "default") -> str:
    """Why the database does not answer, in a word that holds nothing secret."""
    if isinstance(error, TimeoutError):
        return "timeout"
    said = str(error).lower()
    if 'database "' in said and "does not exist" in said:
        return "unknown_database"
    word = next((word for words, word in _WORDS if words in said), "unreachable")
    return "certificate_expired" if word == "certificate_not_trusted" and _has_expired(alias) else word


def _has_expired(alias: str) -> bool:
    """Whether the server's certificate has: libpq does not say why it trusts none, so it is looked at once more."""
    given = connections[alias].get_connection_params()
    address = given.get("hostaddr") or given.get("host", ""), int(given.get("port") or 5432)
    root = given.get("sslrootcert")
    try:
        context = ssl.create_default_context(cafile=None if root == "system" else root)
        context.check_hostname = False
        with socket.create_connection(address, timeout=1) as link:
            link.sendall(_WISH_FOR_TLS)
            if link.recv(1) == b"S":
                context.wrap_socket(link).close()
    except ssl.SSLCertVerificationError as refusal:
        return refusal.verify_code == _EXPIRED
    except OSError:
        return False
    return False


@cache
def _ours() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


def lacking() -> int:
    """How many migrations of this release the database lacks; all of them where it has no tables."""
    with connection.cursor() as cursor:
        if "django_migrations" not in connection.introspection.table_names(cursor):
            return len(_ours())
        cursor.execute("SELECT app, name FROM django_migrations")
        return len(_ours() - set(cursor.fetchall()))
