"""seance_project: the mail server, from one URL."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from seance_project.env import Env

PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


class Server(NamedTuple):
    """What Django's SMTP backend wants to know."""

    host: str = "localhost"
    port: int = 25
    user: str = ""
    password: str = ""
    starttls: bool = False
    tls: bool = False


def settings(env: Env) -> tuple[str, Server]:
    """The dotted name of the backend, and the server, for `EMAIL_URL`.

    Unset in production, mails become files: a console there is a log, and a log must not hold a verification link.
    """
    backends = "django.core.mail.backends"
    if env.email_url == "console:" or not (env.email_url or env.is_production):
        return f"{backends}.console.EmailBackend", Server()
    if not env.email_url:
        return f"{backends}.filebased.EmailBackend", Server()
    url = urlsplit(env.email_url)
    server = Server(
        host=url.hostname or "localhost",
        port=url.port or PORTS[url.scheme],
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        starttls=url.scheme == "smtp+tls",
        tls=url.scheme == "smtps",
    )
    return f"{backends}.smtp.EmailBackend", server
