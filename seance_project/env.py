"""seance_project: the environment, typed once. Every variable, its type, its bounds, its default and its meaning.

`load()` reads the process environment over a `.env` file and returns an `Env`; a wrong or missing value raises
`EnvError`, one line that names the variable and says what is allowed. Nothing is created before all values are good.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

BASE_DIR: Final = Path(__file__).resolve().parent.parent
EX_CONFIG: Final = 78  # sysexits.h: "configuration error", so that a supervisor can tell it from a crash


class EnvError(Exception):
    """A wrong or missing variable. Its text is one line, and never holds the value of a secret."""

    def __init__(self, variable: str, rule: str) -> None:
        super().__init__(" ".join(f"{variable}: {rule}".split()))
        self.variable = variable


def secret(doc: str, allowed: str, **constraints: Any) -> Meta:
    """Metadata of a variable whose value no message, log or debug page may show."""
    return Meta(description=doc, extra={"secret": True, "allowed": allowed}, **constraints)


def text(doc: str, allowed: str, **constraints: Any) -> Meta:
    """Metadata of a variable whose bounds need words of their own."""
    return Meta(description=doc, extra={"allowed": allowed}, **constraints)


Hosts = tuple[
    Annotated[str, Meta(pattern=r"^(\*|\.?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])$")], ...
]
Origins = tuple[Annotated[str, Meta(pattern=r"^(\*|https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?)$")], ...]
# Of one to nine digits, per second, minute, hour or day or several of them; more than one is separated by semicolons.
_RATE = r"[1-9][0-9]{0,8}/([1-9][0-9]{0,3} )?(second|minute|hour|day)"
RATES = rf"^[a-z-]{{1,40}}={_RATE}(;{_RATE}){{0,4}}$"
Provider = Literal["oracle", "openai_compat", "secondary"]


class Env(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, read as `settings.SEANCE.<name in lower case>`. The order is that of `.env.example`."""

    # Where it runs
    environment: Annotated[
        Literal["development", "production"],
        Meta(description="Production refuses to start with anything unsafe."),
    ] = "development"
    host: Annotated[
        str,
        text("The address to listen on.", "a host name or an IP address", pattern=r"^[A-Za-z0-9_.:%-]{1,253}$"),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The port to listen on; 0 takes a free one.")] = 8000
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        Meta(description="The least level that is logged; DEBUG adds the SQL, without its values."),
    ] = "INFO"
    debug: Annotated[bool, Meta(description="Django's debug pages, in development only.")] = False
    var_dir: Annotated[
        str,
        Meta(description="The folder of what the server makes itself: SQLite file, development keys, lock, mails."),
    ] = "var"

    # What it keeps its data in
    database_url: Annotated[
        str,
        secret(
            "The database; unset: SQLite in VAR_DIR.",
            "postgresql://user:password@host:5432/name or sqlite:////absolute/path, in an existing folder",
        ),
    ] = ""
    database_replica_url: Annotated[
        str,
        secret(
            "A read-only copy of a PostgreSQL database, for history over REST and analytics.",
            "postgresql://user:password@host:5432/name",
        ),
    ] = ""
    redis_url: Annotated[
        str,
        secret(
            "Redis, needed from two processes on; unset: one process, in memory.",
            "redis://host:6379/0, rediss://…, unix:///path or sentinel://host:26379,host:26379/service/0",
        ),
    ] = ""
    redis_pubsub_urls: Annotated[
        str,
        secret(
            "Redis servers that carry the events between processes, each those of some sessions; unset: REDIS_URL.",
            "one or more, each spelled as REDIS_URL, with spaces between",
        ),
    ] = ""
    read_cache: Annotated[
        tuple[Literal["session", "history"], ...],
        Meta(
            description="What is kept in Redis for many who read the same: sessions, the latest messages of each.",
            extra={"allowed": "session, history or both, comma-separated"},
        ),
    ] = ()
    read_cache_seconds: Annotated[
        int, Meta(ge=0, le=86_400, description="How long; 0 keeps nothing. What was changed is never told from it.")
    ] = 300
    database_threads: Annotated[
        int, Meta(ge=1, le=64, description="Database threads of a process, with one connection each.")
    ] = 8

    # Keys and tokens
    secret_key: Annotated[
        str, secret("Django's key; generated into VAR_DIR in development.", "at least 32 random bytes, not JWT_SECRET")
    ] = ""
    jwt_secret: Annotated[
        str,
        secret("The key of access tokens; generated into VAR_DIR in development.", "at least 32 random bytes"),
    ] = ""
    jwt_algorithm: Annotated[Literal["HS256", "HS384", "HS512"], Meta(description="How access tokens are signed.")] = (
        "HS256"
    )
    access_token_expire_minutes: Annotated[
        int, Meta(ge=1, le=1440, description="How long an access token is good for.")
    ] = 30
    refresh_token_expire_days: Annotated[
        int, Meta(ge=1, le=365, description="How long a refresh token is good for.")
    ] = 14

    # Who may reach it
    allowed_hosts: Annotated[
        Hosts,
        text(
            "The host names it answers to; unset in development: this machine's own.",
            'host names without scheme or port, as a,b or ["a", "b"]',
        ),
    ] = ()
    cors_origins: Annotated[
        Origins,
        text(
            "The web origins whose pages may call it and open sockets; unset in development: a front end on port 3000.",
            'origins such as https://example.org without a path, in lower case, as a,b or ["a", "b"]',
        ),
    ] = ()
    trusted_proxy_count: Annotated[
        int, Meta(ge=0, le=10, description="How many proxies stand in front; 0 believes no X-Forwarded header.")
    ] = 0
    secure_ssl_redirect: Annotated[bool, Meta(description="Redirect http to https here, where no proxy does it.")] = (
        False
    )
    static_root: Annotated[
        str,
        Meta(description="The folder that collectstatic fills with hashed files; unset: they are served as they are."),
    ] = ""
    static_url: Annotated[
        str,
        text(
            "Where pages load static files from; another host, a CDN say, is let into the Content-Security-Policy.",
            "/path/ or https://host/path/, with a path and a slash at its end",
            pattern=r"^(https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?)?(/[A-Za-z0-9_.~-]+)+/$",
        ),
    ] = "/static/"

    # Accounts
    allow_anonymous: Annotated[bool, Meta(description="Guests may open and join sessions without an account.")] = True
    email_verification: Annotated[
        bool | None,
        text("New accounts confirm their address; unset: only in production.", "true or false"),
    ] = None
    email_url: Annotated[
        str,
        secret(
            "The mail server; smtp+tls is STARTTLS. Unset: the console, or files in VAR_DIR/mail in production.",
            "smtp://user:password@host:25, smtp+tls://…:587, smtps://…:465 or console:",
            pattern=r"^(console:|smtp(s|\+tls)?://(\S*@)?[^@/\s:]+(:[0-9]{1,5})?/?)?$",
        ),
    ] = ""
    email_from: Annotated[str, text("The sender of mails.", "an address", pattern=r"^[^\r\n]*[^@\s]+@[^@\s]+$")] = (
        "Séance <seance@localhost>"
    )
    oauth_providers: Annotated[
        str,
        secret(
            "Where people can come in from: google, github, discord, or any OpenID provider by its issuer.",
            'a JSON list such as [{"name": "github", "client_id": "…", "client_secret": "…"}, '
            '{"name": "house", "issuer": "https://id.example.org", "client_id": "…", "client_secret": "…"}]',
        ),
    ] = ""
    admin_email: Annotated[
        str,
        text("The first admin, made by ensure_admin.", "an address", pattern=r"^([^@\s]+@[^@\s]+)?$"),
    ] = ""
    admin_password: Annotated[
        str, secret("The first admin's password.", "at least 12 characters", pattern=r"^(.{12,128})?$")
    ] = ""

    # Rooms and their limits
    max_users_limit: Annotated[int, Meta(ge=2, le=1000, description="The most seats that a session may be given.")] = 12
    rate_limits_enabled: Annotated[
        bool, Meta(description="Off for benchmarks: nothing is counted per time, address or user.")
    ] = True
    messages_burst: Annotated[int, Meta(ge=1, le=1000, description="Messages of a user in one second.")] = 5
    messages_per_minute: Annotated[int, Meta(ge=1, le=100_000, description="Messages of a user in a minute.")] = 60
    socket_frames_per_minute: Annotated[int, Meta(ge=1, le=100_000, description="Frames of a socket in a minute.")] = (
        120
    )
    rate_limits: Annotated[
        tuple[Annotated[str, Meta(pattern=RATES)], ...],
        text(
            "Other rates for limits of the table in docs/protocol.md.",
            "a list such as logins=5/minute;50/hour,joins=100/minute",
        ),
    ] = ()
    sockets_per_address: Annotated[
        int, Meta(ge=1, le=100_000, description="Sockets that an address may hold open in one process.")
    ] = 1000
    unjoined_per_address: Annotated[
        int, Meta(ge=1, le=100_000, description="Sockets of an address, in one process, that have not joined yet.")
    ] = 500
    sockets_per_user: Annotated[int, Meta(ge=1, le=1000, description="Sockets that a user may hold open.")] = 5
    bad_frames_per_minute: Annotated[
        int, Meta(ge=1, le=10_000, description="Bad frames in a minute that close a socket.")
    ] = 20
    frame_max_bytes: Annotated[int, Meta(ge=1024, le=65_536, description="Bytes of a client's frame.")] = 16_384
    json_max_depth: Annotated[int, Meta(ge=2, le=64, description="Nesting of a client's JSON.")] = 8
    outbound_max_bytes: Annotated[
        int, Meta(ge=65_536, le=1 << 30, description="Bytes a slow reader may lag behind before it is closed.")
    ] = 1 << 20
    outbound_max_seconds: Annotated[
        float, Meta(ge=0.1, le=600, description="Seconds a slow reader may lag behind before it is closed.")
    ] = 10
    recent_messages: Annotated[int, Meta(ge=0, le=200, description="Messages that a welcome brings.")] = 50
    resume_max_events: Annotated[
        int, Meta(ge=1, le=100_000, description="Missed events up to which a socket can resume.")
    ] = 1000

    # Times of a connection, in seconds
    join_wait_seconds: Annotated[float, Meta(ge=0.1, le=600, description="The wait for a first frame.")] = 10
    heartbeat_seconds: Annotated[float, Meta(ge=0.1, le=600, description="How often a client should beat.")] = 15
    ping_seconds: Annotated[
        float, Meta(ge=0.1, le=600, description="How often a socket is pinged, and how long the pong may take.")
    ] = 20
    presence_lease_seconds: Annotated[
        float, Meta(ge=0.3, le=3600, description="How long a presence holds unrenewed; more than twice the renewal.")
    ] = 45
    presence_renew_seconds: Annotated[float, Meta(ge=0.1, le=600, description="How often presences are renewed.")] = 15
    seat_grace_seconds: Annotated[
        float, Meta(ge=0, le=3600, description="How long a seat is kept after its last socket dropped.")
    ] = 15
    head_poll_seconds: Annotated[
        float, Meta(ge=0.1, le=600, description="How often a process looks for events it was not told of.")
    ] = 5
    drain_seconds: Annotated[
        float, Meta(ge=0, le=120, description="The window in which a stopping server sends its clients away.")
    ] = 10
    rollup_seconds: Annotated[
        float,
        Meta(ge=0, le=86_400, description="How often the analytics are brought up to date; 0 leaves it to rollup."),
    ] = 60

    # How long it is kept
    retention_days: Annotated[
        int, Meta(ge=0, le=36_500, description="How long an ended session is kept, by purge; 0 keeps it for ever.")
    ] = 0

    # The spirit
    spirit_providers: Annotated[
        tuple[Provider, ...],
        text(
            "Who answers, in order; the oracle needs no network.",
            "a list of oracle, openai_compat and secondary",
            min_length=1,
        ),
    ] = ("oracle",)
    spirit_base_url: Annotated[
        str,
        text(
            "An OpenAI-compatible server, for openai_compat.",
            "an http or https URL",
            pattern=r"^(https?://[^\s/]+\S*)?$",
        ),
    ] = ""
    spirit_api_key: Annotated[str, secret("Its key.", "one line of printable text", pattern=r"^[!-~]*$")] = ""
    spirit_model: Annotated[str, text("Its model.", "one line of text", pattern=r"^[^\r\n]*$")] = ""
    spirit_secondary_base_url: Annotated[
        str,
        text(
            "Another such server, for secondary: asked when the first does not answer.",
            "an http or https URL",
            pattern=r"^(https?://[^\s/]+\S*)?$",
        ),
    ] = ""
    spirit_secondary_api_key: Annotated[str, secret("Its key.", "one line of printable text", pattern=r"^[!-~]*$")] = ""
    spirit_secondary_model: Annotated[str, text("Its model.", "one line of text", pattern=r"^[^\r\n]*$")] = ""
    spirit_prompt_price: Annotated[
        int, Meta(ge=0, le=10**12, description="Microcents (1e-8 of the currency) for 1,000 prompt tokens.")
    ] = 0
    spirit_completion_price: Annotated[
        int, Meta(ge=0, le=10**12, description="Microcents for 1,000 tokens of an answer.")
    ] = 0
    spirit_first_token_seconds: Annotated[
        float, Meta(ge=0.1, le=60, description="How long a model may take to begin.")
    ] = 6
    spirit_total_seconds: Annotated[
        float, Meta(ge=0.2, le=120, description="How long all models together may take for an answer.")
    ] = 20
    spirit_lease_seconds: Annotated[
        float, Meta(ge=0.5, le=600, description="How long a turn is held by a process that does not renew it.")
    ] = 15
    spirit_cache_seconds: Annotated[
        int, Meta(ge=0, le=30 * 86_400, description="How long a model's answer may be given again; 0 keeps none.")
    ] = 6 * 3600
    spirit_calls_per_seat: Annotated[
        int, Meta(ge=0, le=10**9, description="Model calls for one person in one session a day; 0 is no limit.")
    ] = 0
    spirit_calls_per_session: Annotated[
        int, Meta(ge=0, le=10**9, description="Model calls for one session a day; 0 is no limit.")
    ] = 0
    spirit_calls_per_provider: Annotated[
        int, Meta(ge=0, le=10**9, description="Calls to one model server a day; 0 is no limit.")
    ] = 0
    spirit_calls_per_day: Annotated[
        int, Meta(ge=0, le=10**9, description="Model calls of the whole installation a day; 0 is no limit.")
    ] = 0
    spirit_tokens_per_day: Annotated[
        int, Meta(ge=0, le=10**12, description="Tokens of the whole installation a day; 0 is no limit.")
    ] = 0
    spirit_help_lines: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[^\x00-\x1f]{1,200}$")], ...],
        text(
            "Where somebody in distress finds help: shown to that person alone.",
            "a list of addresses or telephone numbers",
        ),
    ] = ("https://findahelpline.com",)
    spirit_allow_network: Annotated[
        bool, Meta(description="Off for tests: a provider that needs the network refuses to start.")
    ] = True

    # Who is told how it goes
    otel_exporter_otlp_endpoint: Annotated[
        str,
        text(
            "An OpenTelemetry collector, to which spans go; needs the packages of the extra observability.",
            "an http or https URL, without /v1/traces",
            pattern=r"^(https?://[^\s/]+\S*)?$",
        ),
    ] = ""
    sentry_dsn: Annotated[
        str,
        secret(
            "Sentry, to which errors go; needs the packages of the extra observability.",
            "https://key@host/project",
            pattern=r"^(https?://[^\s@/]+@[^\s/]+/\S+)?$",
        ),
    ] = ""

    # Webhooks
    webhook_allow_internal: Annotated[
        bool, Meta(description="For tests: webhooks may go to addresses of the inside; refused in production.")
    ] = False

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def pubsub(self) -> list[str]:
        """Where the events between processes go; empty: nowhere."""
        return self.redis_pubsub_urls.split() or [self.redis_url] * bool(self.redis_url)

    @property
    def var(self) -> Path:
        """`VAR_DIR` as an absolute path."""
        return BASE_DIR / self.var_dir

    @property
    def static_origin(self) -> str:
        """The other host that `STATIC_URL` names, such as `https://cdn.example.org`; empty where there is none."""
        parts = urlsplit(self.static_url)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""

    def __repr__(self) -> str:
        """Without secrets: debug pages and logs print settings."""
        shown = (f"{f.name}={getattr(self, f.name)!r}" for f in msgspec.structs.fields(self) if not is_secret(f))
        return f"Env({', '.join(shown)})"


def extra(field: msgspec.structs.FieldInfo) -> dict[str, Any]:
    found: dict[str, Any] | None = meta(field).extra
    return found or {}


def is_secret(field: msgspec.structs.FieldInfo) -> bool:
    return bool(extra(field).get("secret"))


def meta(field: msgspec.structs.FieldInfo) -> Meta:
    found: Meta = field.type.__metadata__[0]
    return found


def allowed(field: msgspec.structs.FieldInfo) -> str:
    """What a variable may be, in words; shown in refusals and in `.env.example`."""
    bounds, kind = meta(field), field.type.__origin__
    if words := extra(field).get("allowed"):
        return str(words)
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return f"a {'whole ' if kind is int else ''}number from {bounds.ge} to {bounds.le}"
    if choices := getattr(kind, "__args__", None):
        return f"one of {', '.join(choices)}"
    return "one line of text"


def read_one(field: msgspec.structs.FieldInfo, raw: str) -> Any:
    """One variable from its text. Lists may be JSON or comma-separated. Raises `EnvError`."""
    value: Any = raw
    if getattr(field.type.__origin__, "__origin__", None) is tuple:
        try:
            value = msgspec.json.decode(raw) if raw.startswith("[") else [part.strip() for part in raw.split(",")]
        except msgspec.DecodeError:
            value = None
    elif field.name == "log_level":
        value = raw.upper()
    if field.type.__origin__ is str and any(ord(character) < 32 or ord(character) == 127 for character in raw):
        value = None
    try:
        return msgspec.convert(value, field.type, strict=False)
    except msgspec.ValidationError:
        shown = "" if is_secret(field) else f", not {raw[:60]!r}"
        raise EnvError(field.name.upper(), f"must be {allowed(field)}{shown}") from None


def _dotenv(path: Path) -> dict[str, str]:
    """The `.env` file, or nothing. `$` is an ordinary character in it, since passwords have it."""
    if not path.is_file():
        return {}
    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise EnvError(".env", f"cannot be read as UTF-8 text ({type(error).__name__})") from None
    for name, value in values.items():
        if value is None:
            raise EnvError(name[:60], "has no '=' in the .env file")
    return {name: value for name, value in values.items() if value is not None}


def raw_values(environ: Mapping[str, str], env_file: Path | None = None) -> dict[str, str]:
    """The texts of all variables, before any is read: the environment over the file. Raises `EnvError`."""
    file = env_file or Path(environ.get("ENV_FILE") or BASE_DIR / ".env")
    return {**_dotenv(file), **environ}


def load(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Env:
    """The checked environment; in development its missing keys are made. The real environment wins over the file.

    A variable that is set to nothing counts as unset, so `NAME=` in a compose file means the default.
    """
    from seance_project import keys, refusals  # they need the types above

    env = unchecked(environ, env_file)
    refusals.check(env)
    return keys.complete(env)


def unchecked(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Env:
    """Each variable as it may be by itself; whether they fit together nobody has looked at."""
    merged = raw_values(os.environ if environ is None else environ, env_file)
    given = {
        field.name: read_one(field, raw)
        for field in msgspec.structs.fields(Env)
        if (raw := merged.get(field.name.upper(), "").strip())
    }
    env = Env(**given)
    if env.email_verification is None:
        env = msgspec.structs.replace(env, email_verification=env.is_production)
    return env


@contextmanager
def one_line_refusal() -> Iterator[None]:
    """Around an entry point: a wrong environment ends the process with its one line, without a traceback."""
    try:
        yield
    except EnvError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EX_CONFIG) from None
