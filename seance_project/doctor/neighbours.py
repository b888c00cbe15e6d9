"""seance_project, the doctor: what the server speaks to besides database and Redis, and Django's own checks."""

from __future__ import annotations

import json
import smtplib
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.core.checks import ERROR, WARNING, run_checks

from seance_project import mail
from seance_project.doctor.findings import Finding, ok, warning, wrong
from seance_project.env import Env
from sessions_app.oauth.providers import load

SECONDS = 5.0


def system_checks(env: Env) -> Iterator[Finding]:
    """system checks: Django's and ours, those for production where it is production."""
    found = [one for one in run_checks(include_deployment_checks=env.is_production) if not one.is_silenced()]
    for one in found:
        make = wrong if one.level >= ERROR else warning
        if one.level >= WARNING:
            yield make("system checks", f"{one.id}: {one.msg}", one.hint or "See docs/operations.md, Checks at start.")
    if not found:
        yield ok("system checks", "have nothing to say")


def mails(env: Env) -> Iterator[Finding]:
    """mail: the server that takes them."""
    if not env.email_url or env.email_url == "console:":
        return
    _, to = mail.settings(env)
    kind = smtplib.SMTP_SSL if to.tls else smtplib.SMTP
    try:
        with kind(to.host, to.port, timeout=SECONDS) as server:
            if to.starttls:
                server.starttls()
            if to.user:
                server.login(to.user, to.password)
    except smtplib.SMTPAuthenticationError:
        yield wrong("mail", "the mail server does not let us in", "Set user and password in EMAIL_URL right.")
    except (OSError, smtplib.SMTPException) as error:
        yield wrong("mail", f"{to.host}:{to.port} cannot be used: {error}", "Start it, or set EMAIL_URL right.")
    else:
        yield ok("mail", f"{to.host}:{to.port} takes mails")


def models(env: Env) -> Iterator[Finding]:
    """models: the servers that answer before the oracle does."""
    for provider, prefix in (("openai_compat", "spirit"), ("secondary", "spirit_secondary")):
        if provider not in env.spirit_providers:
            continue
        if find_spec("openai") is None:
            yield wrong("models", f"{provider} lacks its package", "python -m pip install 'openai>=3.54,<4'")
            continue
        url, key, model = (getattr(env, f"{prefix}_{name}") for name in ("base_url", "api_key", "model"))
        yield _model(provider, prefix.upper(), url, key, model)


def _model(provider: str, prefix: str, url: str, key: str, model: str) -> Finding:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        names = {one["id"] for one in _get(f"{url.rstrip('/')}/models", headers)["data"]}
    except urllib.error.HTTPError as refused:
        if refused.code in (401, 403):
            return wrong("models", f"{provider} refuses our key", f"Set {prefix}_API_KEY right.")
        return warning(
            "models", f"{provider} answers with HTTP {refused.code}", f"See whether {prefix}_BASE_URL is right."
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        return wrong("models", f"{provider} cannot be reached: {error}", f"Start it, or set {prefix}_BASE_URL right.")
    if model not in names:
        return warning("models", f"{provider} does not know {model}", f"Set {prefix}_MODEL to one that it has.")
    return ok("models", f"{provider} has {model}")


def oauth(env: Env) -> Iterator[Finding]:
    """OAuth: providers that say by themselves where they are."""
    for one in load(env.oauth_providers).values():
        if not one.issuer:
            continue
        url = f"{one.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            found = _get(url, {})["issuer"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            yield wrong("OAuth", f"{one.name} cannot be reached: {error}", "Set its issuer in OAUTH_PROVIDERS right.")
            continue
        if found != one.issuer:
            yield wrong("OAuth", f"{one.name} calls itself {found}", "Set its issuer in OAUTH_PROVIDERS to that.")
        else:
            yield ok("OAuth", f"{one.name} is there")


def observers(env: Env) -> Iterator[Finding]:
    """traces and errors: whoever is told of them. Without them the server goes on, and nobody notices."""
    if env.otel_exporter_otlp_endpoint:
        traces = f"{env.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces"
        yield _hears("traces", "OTEL_EXPORTER_OTLP_ENDPOINT", traces, b"")  # no spans are a message, too
    if env.sentry_dsn:
        at = urlsplit(env.sentry_dsn)
        yield _hears("errors", "SENTRY_DSN", f"{at.scheme}://{at.netloc.rpartition('@')[2]}/", None)


def _hears(topic: str, variable: str, url: str, body: bytes | None) -> Finding:
    """Whether somebody is there; with a body, somebody who takes it."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310
            pass
    except urllib.error.HTTPError as refused:
        if body is not None:
            return warning(topic, f"{url} answers with HTTP {refused.code}", f"See whether {variable} is right.")
    except (OSError, ValueError) as error:
        return warning(topic, f"{url} cannot be reached: {error}", f"Start it, or set {variable} right.")
    return ok(topic, f"{url} is there")


def _get(url: str, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  http(s), by the settings' own checks
    with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310
        return json.load(response)


CHECKS = (system_checks, mails, models, oauth, observers)
