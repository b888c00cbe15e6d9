"""sessions_app/api, the REST door: the shapes that only REST has; everything else comes from `events` and `inputs`.

`data` of an answer is one of the structs of `sessions_app.events`, or one of these. Times are aware datetimes in UTC.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from sessions_app import events
from sessions_app.inputs import RawName

_SIGNED_IN = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("SignedIn", "SignedInByCookie")]}
SignedInEither = Annotated[Any, Meta(extra_json_schema=_SIGNED_IN)]
# A message is a `MessageData` or, where the spirit speaks, an `AnswerData`. msgspec cannot tell two untagged structs
# apart when it decodes, so the type is open and the schema says the rest.
_MESSAGE = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("AnswerData", "MessageData")]}
Message = Annotated[Any, Meta(extra_json_schema=_MESSAGE)]
Messages = Annotated[list[Any], Meta(extra_json_schema={"items": _MESSAGE})]


class AnswerMeta(Struct, frozen=True, kw_only=True):
    """What stands beside `data`, and beside an error."""

    timestamp: datetime


class PageMeta(AnswerMeta, frozen=True, kw_only=True):
    """Where a page stands in its list."""

    page: int
    per_page: int
    total: int


class HistoryMeta(AnswerMeta, frozen=True, kw_only=True):
    """Where a piece of the log stands: more is left on the side that was cut; the log ends at `last_seq` of `epoch`."""

    has_more: bool
    last_seq: int
    epoch: str


class HostMeta(AnswerMeta, frozen=True, kw_only=True):
    """`host_token` is there where a guest was made to host the session: the access token of that guest."""

    host_token: str | UnsetType = UNSET


class PostedMeta(AnswerMeta, frozen=True, kw_only=True):
    """`duplicate`: the message had been stored before, and this is it. `unanswered`: a code, where it was a question
    and the spirit will not answer it."""

    duplicate: bool
    unanswered: str | UnsetType = UNSET


class Success(Struct, frozen=True, kw_only=True):
    """Every answer that is no error."""

    success: Literal[True] = True
    data: Any
    meta: AnswerMeta


class ErrorBody(Struct, frozen=True):
    """What went wrong. Of a `VALIDATION_ERROR`, `details` maps each wrong field to its list of messages."""

    code: str
    message: str
    details: dict[str, Any]


class Failure(Struct, frozen=True, kw_only=True):
    """Every error."""

    success: Literal[False] = False
    error: ErrorBody
    meta: AnswerMeta


class SignedIn(Struct, frozen=True):
    """A person, an access token, and the refresh token that gets the next pair; it works once."""

    user: events.UserData
    access: str
    refresh: str


class SignedInByCookie(Struct, frozen=True):
    """A person whose tokens were set as cookies; `csrf_token` is what `X-CSRFToken` must say from now on."""

    user: events.UserData
    csrf_token: str


class Account(Struct, frozen=True):
    """What one comes in with: an address with a password, accounts at OAuth providers."""

    email: str | None
    has_password: bool
    providers: list[str]


class OAuthProvider(Struct, frozen=True):
    """Where one can come in from; `url` is the link to follow."""

    name: str
    title: str
    url: str


class OAuthWay(Struct, frozen=True):
    """The provider's address to go to, in the same browser."""

    url: str


class Untied(Struct, frozen=True):
    """The provider that is no way in any more."""

    provider: str


class ResetSent(Struct, frozen=True):
    """A mail is on its way to the address, whoever has it."""

    reset_sent: Literal[True] = True


class VerificationSent(Struct, frozen=True):
    """A mail is on its way to the address, whoever has it."""

    verification_sent: Literal[True] = True


class Revoked(Struct, frozen=True):
    """The refresh token and all that came of it are worth nothing."""

    revoked: Literal[True] = True


class ReportMade(Struct, frozen=True):
    """A report, as whoever made it sees it."""

    id: UUID
    reason: str
    created_at: datetime
    state: str


class ReportedMessage(Struct, frozen=True):
    """A message that was reported, deleted or not."""

    id: UUID
    seq: int
    user_name: str | None
    text: str
    is_spirit: bool
    deleted_at: datetime | None


class ReportData(ReportMade, frozen=True):
    """A report, as staff see it. `user_id` and `name` are those of who was reported."""

    session_id: UUID
    reporter_id: UUID | None
    participant_id: UUID | None
    user_id: UUID | None
    name: str | None
    message: ReportedMessage | None
    note: str
    closed_at: datetime | None
    closed_by: UUID | None


class InviteCode(Struct, frozen=True):
    """A new invite. The code is told this once; `uses` of `max_uses` people have come in with it (null: no limit)."""

    code: str
    url: str
    max_uses: int | None
    uses: int
    expires_at: datetime


class InviteEnd(Struct, frozen=True):
    """An invite that is worth nothing any more."""

    code: str
    uses: int
    revoked_at: datetime


class SpiritCard(Struct, frozen=True):
    """A published persona. `digest` is that of its content; `statement` says what it is, so that nobody takes it for a
    person."""

    slug: str
    name: str
    version: int
    locale: str
    summary: str
    audience: Literal["everyone", "adults"]
    digest: str
    is_ai: Literal[True]
    statement: str


class Transcript(Struct, frozen=True):
    """A session's messages from the first to the last, those off the record and the deleted ones left out.

    `statement` says what the spirit is.
    """

    session: events.SessionData
    statement: str
    messages: Messages


class Health(Struct, frozen=True, kw_only=True):
    """What the server can reach. `memory`: it is kept in this process, there is nothing to reach.

    `replica` is there where there is one. `reasons` is there where something is not well: a word for each that is not.
    """

    status: Literal["healthy", "unhealthy"]
    database: Literal["connected", "disconnected"]
    cache: Literal["connected", "disconnected", "memory"]
    channel_layer: Literal["connected", "disconnected", "memory"]
    replica: Literal["connected", "behind", "disconnected"] | UnsetType = UNSET
    timestamp: datetime
    reasons: dict[str, str] | UnsetType = UNSET


class Alive(Struct, frozen=True):
    """The process answers."""

    status: Literal["healthy"]
    timestamp: datetime


class UpdateMe(Struct, frozen=True, kw_only=True):
    """Changes of oneself; what is left out stays as it is."""

    name: RawName | UnsetType = UNSET


class VerifyInput(Struct, frozen=True, kw_only=True):
    """The token of a verification mail."""

    token: Annotated[str, Meta(max_length=2000)]
