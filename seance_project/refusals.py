"""seance_project: what no single variable can tell: combinations, and all that production refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import dj_database_url

from seance_project.env import BASE_DIR, Env, EnvError
from sessions_app.limits import TABLE
from sessions_app.oauth.providers import load
from sessions_app.redis_url import WrongUrl, parse

MIN_KEY_BYTES = 32
POSTGRESQL_URL = "postgresql://user:password@host:5432/name"
PLACEHOLDERS = (
    "django-insecure",
    "changeme",
    "change-me",
    "change_me",
    "replace-me",
    "replace_me",
    "your-secret",
    "your_secret",
)
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "lustre", "afs", "fuse.sshfs", "fuse.glusterfs"}
POOLER = "pooler"  # in the URL of a database: it leads to PgBouncer in transaction mode, or to what lends alike
ENGINES = {"django.db.backends.postgresql": "postgresql", "django.db.backends.sqlite3": "sqlite"}


def check(env: Env) -> None:
    """Raise `EnvError` for the first thing that is wrong."""
    for error in found(env):
        raise error


def found(env: Env) -> Iterator[EnvError]:
    """Everything that is wrong."""
    yield from _databases(env)
    yield from _redis(env)
    yield from _keys(env)
    if bool(env.admin_email) != bool(env.admin_password):
        yield EnvError("ADMIN_PASSWORD" if env.admin_email else "ADMIN_EMAIL", "must be set with the other of the two")
    if env.presence_lease_seconds <= 2 * env.presence_renew_seconds:
        yield EnvError("PRESENCE_LEASE_SECONDS", "must be more than twice PRESENCE_RENEW_SECONDS")
    for provider, prefix in (("openai_compat", "spirit"), ("secondary", "spirit_secondary")):
        if provider not in env.spirit_providers:
            continue
        for name in (f"{prefix}_base_url", f"{prefix}_model"):
            if not getattr(env, name):
                yield EnvError(name.upper(), f"is required while SPIRIT_PROVIDERS has {provider}")
        if not env.spirit_allow_network:
            yield EnvError("SPIRIT_ALLOW_NETWORK", f"must be true while SPIRIT_PROVIDERS has {provider}")
    if len(set(env.spirit_providers)) < len(env.spirit_providers):
        yield EnvError("SPIRIT_PROVIDERS", "must name each provider once")
    try:
        load(env.oauth_providers)
    except ValueError as error:
        yield EnvError("OAUTH_PROVIDERS", str(error))
    for name, package in (("otel_exporter_otlp_endpoint", "opentelemetry.sdk"), ("sentry_dsn", "sentry_sdk")):
        if getattr(env, name) and not _has(package):
            yield EnvError(name.upper(), "needs the packages of requirements-observability.txt")
    for item in env.rate_limits:
        if item.partition("=")[0] not in TABLE:
            yield EnvError("RATE_LIMITS", f"must name limits of the table: {', '.join(TABLE)}")
    if env.is_production:
        yield from _production(env)


def _has(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False


def engine_of(url: str) -> str | None:
    """`postgresql`, `sqlite`, or None where the URL is neither or is malformed."""
    try:
        parsed = dj_database_url.parse(url)
    except (ValueError, dj_database_url.ParseError, dj_database_url.UnknownSchemeError):
        return None
    if not parsed["NAME"] or parsed["NAME"] == ":memory:":
        return None
    return ENGINES.get(parsed["ENGINE"])


def _databases(env: Env) -> Iterator[EnvError]:
    if env.database_url:
        engine = engine_of(env.database_url)
        if engine is None or (engine == "sqlite" and not sqlite_path(env).parent.is_dir()):
            yield EnvError(
                "DATABASE_URL", f"must be {POSTGRESQL_URL} or sqlite:////absolute/path, in an existing folder"
            )
            return  # it cannot be read any further
    if env.database_replica_url:
        if engine_of(env.database_replica_url) != "postgresql":
            yield EnvError("DATABASE_REPLICA_URL", f"must be {POSTGRESQL_URL}")
            return
        if not env.database_url or engine_of(env.database_url) != "postgresql":
            yield EnvError("DATABASE_REPLICA_URL", "needs a DATABASE_URL that is PostgreSQL too")
    for name, url in (("DATABASE_URL", env.database_url), ("DATABASE_REPLICA_URL", env.database_replica_url)):
        if url and dj_database_url.parse(url).get("OPTIONS", {}).get(POOLER, "transaction") != "transaction":
            yield EnvError(name, f"{POOLER} must be transaction; a pooler in session mode needs none")


def _redis(env: Env) -> Iterator[EnvError]:
    if re.search(r",\s*[a-z]+://", env.redis_pubsub_urls):
        yield EnvError("REDIS_PUBSUB_URLS", "has commas between its servers, which a URL may have; take spaces")
        return
    for name, urls in (("REDIS_URL", [env.redis_url]), ("REDIS_PUBSUB_URLS", env.redis_pubsub_urls.split())):
        try:
            for url in filter(None, urls):
                parse(url)
        except WrongUrl as error:
            yield EnvError(name, str(error))
    if env.redis_pubsub_urls and not env.redis_url:
        yield EnvError("REDIS_PUBSUB_URLS", "needs a REDIS_URL, which has everything else")
    elif len(set(env.pubsub)) < len(env.pubsub):
        yield EnvError("REDIS_PUBSUB_URLS", "names a server twice")


def uses_sqlite(env: Env) -> bool:
    return not env.database_url or engine_of(env.database_url) == "sqlite"


def sqlite_path(env: Env) -> Path:
    """The file of the SQLite database; relative paths are relative to the project."""
    if not env.database_url:
        return env.var / "seance.sqlite3"
    return BASE_DIR / str(dj_database_url.parse(env.database_url)["NAME"])


def _keys(env: Env) -> Iterator[EnvError]:
    for name, key in (("SECRET_KEY", env.secret_key), ("JWT_SECRET", env.jwt_secret)):
        if key and len(key.encode()) < MIN_KEY_BYTES:
            yield EnvError(name, f"must be at least {MIN_KEY_BYTES} random bytes")
    if env.secret_key and env.secret_key == env.jwt_secret:
        yield EnvError("JWT_SECRET", "must differ from SECRET_KEY")


def _production(env: Env) -> Iterator[EnvError]:
    for name, key in (("SECRET_KEY", env.secret_key), ("JWT_SECRET", env.jwt_secret)):
        if not key:
            yield EnvError(name, f"is required in production: at least {MIN_KEY_BYTES} random bytes")
        elif is_placeholder(key):
            yield EnvError(name, f"is a placeholder; production needs at least {MIN_KEY_BYTES} random bytes")
    if env.debug:
        yield EnvError("DEBUG", "must be false in production")
    if env.webhook_allow_internal:
        yield EnvError("WEBHOOK_ALLOW_INTERNAL", "must be false in production")
    if not env.allowed_hosts:
        yield EnvError("ALLOWED_HOSTS", "is required in production: the host names it answers to")
    for name, values in (("ALLOWED_HOSTS", env.allowed_hosts), ("CORS_ORIGINS", env.cors_origins)):
        if "*" in values:
            yield EnvError(name, "must not have * in production")
    if uses_sqlite(env) and file_system_of(sqlite_path(env)) in NETWORK_FILE_SYSTEMS:
        yield EnvError("DATABASE_URL", "must not be SQLite on a network file system, which loses its locks")


def is_placeholder(key: str) -> bool:
    """Whether a key is one that anybody can guess."""
    return len(set(key)) < 5 or any(word in key.lower() for word in PLACEHOLDERS)


def file_system_of(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of the file system that holds a path, such as `ext4`; empty where the system does not tell."""
    best, kind = "", ""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        _, point, found, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if path.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind
