"""seance_project, the doctor: the settings: every wrong one, not only the first, and those that fit nobody."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import msgspec

from seance_project import refusals
from seance_project.doctor.findings import Finding, ok, warning, wrong
from seance_project.env import Env, EnvError, allowed, load, raw_values, read_one, unchecked

TOPIC = "settings"


def wrong_settings(environ: Mapping[str, str] | None = None) -> list[Finding]:
    """What keeps `env.load` from returning: each variable that is wrong by itself, else what is wrong together."""
    environ = os.environ if environ is None else environ
    try:
        values = raw_values(environ)
    except EnvError as error:
        return [wrong(TOPIC, str(error), "Correct the line of the file.")]
    found = []
    for field in msgspec.structs.fields(Env):
        if raw := values.get(field.name.upper(), "").strip():
            try:
                read_one(field, raw)
            except EnvError as error:
                found.append(wrong(TOPIC, str(error), f"Set {error.variable} to {allowed(field)}, or unset it."))
    if not found:
        together = {str(error): error.variable for error in refusals.found(unchecked(environ))}
        found = [
            wrong(TOPIC, said, f"Set {name} as it says; docs/operations.md, Settings.")
            for said, name in together.items()
        ]
    if not found:
        try:
            load(environ)  # a key that cannot be kept, say
        except EnvError as error:
            found.append(wrong(TOPIC, str(error), f"Set {error.variable} as it says; docs/operations.md, Settings."))
    return found


def settings(env: Env) -> Iterator[Finding]:
    """settings: those that were read."""
    known = {field.name.upper() for field in msgspec.structs.fields(Env)}
    file = raw_values({name: os.environ[name] for name in ("ENV_FILE",) if name in os.environ})
    for name in sorted(file.keys() - known - {"ENV_FILE", "SEANCE_PROCESS_NAME"}):
        yield warning(TOPIC, f"{name} of the .env file is no setting", "Correct its name, or take it out.")
    yield ok(TOPIC, f"{len(known)} variables, each as it may be; ENVIRONMENT is {env.environment}")
    if env.is_production and not env.trusted_proxy_count:
        yield warning(
            TOPIC, "TRUSTED_PROXY_COUNT is 0: behind a proxy everybody has its address, and its limits",
            "Set it to the number of proxies in front, unless there is none.",
        )  # fmt: skip
    if env.is_production and not env.rate_limits_enabled:
        yield warning(TOPIC, "RATE_LIMITS_ENABLED is false in production", "Unset it; it is for benchmarks.")
    if env.is_production and env.log_level == "DEBUG":
        yield warning(TOPIC, "LOG_LEVEL is DEBUG in production: every statement is a line", "Set it to INFO.")
    if env.heartbeat_seconds > env.presence_lease_seconds:
        yield warning(TOPIC, "HEARTBEAT_SECONDS is longer than PRESENCE_LEASE_SECONDS", "Make it shorter.")


def keys(env: Env) -> Iterator[Finding]:
    """keys: what tokens and cookies are signed with."""
    for name, key in (("SECRET_KEY", env.secret_key), ("JWT_SECRET", env.jwt_secret)):
        if refusals.is_placeholder(key):
            yield wrong("keys", f"{name} is a placeholder that anybody can guess", MAKE_KEY.format(name))
        else:
            yield ok("keys", f"{name} has {len(key.encode())} bytes")


MAKE_KEY = "{}=$(python -c 'import secrets; print(secrets.token_urlsafe(48))'); whoever is signed in must sign in anew."
CHECKS = (settings, keys)
