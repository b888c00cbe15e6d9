"""seance_project: what no single variable can tell: combinations, and all that production refuses."""

from __future__ import annotations

from pathlib import Path

import dj_database_url

from seance_project.env import BASE_DIR, Env, EnvError
from sessions_app.limits import TABLE
from sessions_app.oauth.providers import load

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
ENGINES = {"django.db.backends.postgresql": "postgresql", "django.db.backends.sqlite3": "sqlite"}


def check(env: Env) -> None:
    """Raise `EnvError` for the first thing that is wrong."""
    _databases(env)
    _keys(env)
    if bool(env.admin_email) != bool(env.admin_password):
        raise EnvError("ADMIN_PASSWORD" if env.admin_email else "ADMIN_EMAIL", "must be set with the other of the two")
    if env.presence_lease_seconds <= 2 * env.presence_renew_seconds:
        raise EnvError("PRESENCE_LEASE_SECONDS", "must be more than twice PRESENCE_RENEW_SECONDS")
    for provider, prefix in (("openai_compat", "spirit"), ("secondary", "spirit_secondary")):
        if provider not in env.spirit_providers:
            continue
        for name in (f"{prefix}_base_url", f"{prefix}_model"):
            if not getattr(env, name):
                raise EnvError(name.upper(), f"is required while SPIRIT_PROVIDERS has {provider}")
        if not env.spirit_allow_network:
            raise EnvError("SPIRIT_ALLOW_NETWORK", f"must be true while SPIRIT_PROVIDERS has {provider}")
    if len(set(env.spirit_providers)) < len(env.spirit_providers):
        raise EnvError("SPIRIT_PROVIDERS", "must name each provider once")
    try:
        load(env.oauth_providers)
    except ValueError as error:
        raise EnvError("OAUTH_PROVIDERS", str(error)) from None
    for item in env.rate_limits:
        if item.partition("=")[0] not in TABLE:
            raise EnvError("RATE_LIMITS", f"must name limits of the table: {', '.join(TABLE)}")
    if env.is_production:
        _production(env)


def engine_of(url: str) -> str | None:
    """`postgresql`, `sqlite`, or None where the URL is neither or is malformed."""
    try:
        parsed = dj_database_url.parse(url)
    except (ValueError, dj_database_url.ParseError, dj_database_url.UnknownSchemeError):
        return None
    if not parsed["NAME"] or parsed["NAME"] == ":memory:":
        return None
    return ENGINES.get(parsed["ENGINE"])


def _databases(env: Env) -> None:
    if env.database_url:
        engine = engine_of(env.database_url)
        if engine is None or (engine == "sqlite" and not sqlite_path(env).parent.is_dir()):
            raise EnvError(
                "DATABASE_URL", f"must be {POSTGRESQL_URL} or sqlite:////absolute/path, in an existing folder"
            )
    if env.database_replica_url:
        if engine_of(env.database_replica_url) != "postgresql":
            raise EnvError("DATABASE_REPLICA_URL", f"must be {POSTGRESQL_URL}")
        if not env.database_url or engine_of(env.database_url) != "postgresql":
            raise EnvError("DATABASE_REPLICA_URL", "needs a DATABASE_URL that is PostgreSQL too")


def uses_sqlite(env: Env) -> bool:
    return not env.database_url or engine_of(env.database_url) == "sqlite"


def sqlite_path(env: Env) -> Path:
    """The file of the SQLite database; relative paths are relative to the project."""
    if not env.database_url:
        return env.var / "seance.sqlite3"
    return BASE_DIR / str(dj_database_url.parse(env.database_url)["NAME"])


def _keys(env: Env) -> None:
    for name, key in (("SECRET_KEY", env.secret_key), ("JWT_SECRET", env.jwt_secret)):
        if key and len(key.encode()) < MIN_KEY_BYTES:
            raise EnvError(name, f"must be at least {MIN_KEY_BYTES} random bytes")
    if env.secret_key and env.secret_key == env.jwt_secret:
        raise EnvError("JWT_SECRET", "must differ from SECRET_KEY")


def _production(env: Env) -> None:
    for name, key in (("SECRET_KEY", env.secret_key), ("JWT_SECRET", env.jwt_secret)):
        if not key:
            raise EnvError(name, f"is required in production: at least {MIN_KEY_BYTES} random bytes")
        if len(set(key)) < 5 or any(word in key.lower() for word in PLACEHOLDERS):
            raise EnvError(name, f"is a placeholder; production needs at least {MIN_KEY_BYTES} random bytes")
    if env.debug:
        raise EnvError("DEBUG", "must be false in production")
    if env.webhook_allow_internal:
        raise EnvError("WEBHOOK_ALLOW_INTERNAL", "must be false in production")
    if not env.allowed_hosts:
        raise EnvError("ALLOWED_HOSTS", "is required in production: the host names it answers to")
    for name, values in (("ALLOWED_HOSTS", env.allowed_hosts), ("CORS_ORIGINS", env.cors_origins)):
        if "*" in values:
            raise EnvError(name, "must not have * in production")
    if uses_sqlite(env) and file_system_of(sqlite_path(env)) in NETWORK_FILE_SYSTEMS:
        raise EnvError("DATABASE_URL", "must not be SQLite on a network file system, which loses its locks")


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
