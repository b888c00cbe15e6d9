"""sessions_app, the kitchen: what clients may send, written once for both doors and for the generated documents.

Types are strict: no number is taken for a string. `read` checks a decoded JSON object against one of these structs,
field by field, so that a refusal names every field that is wrong; what a value means beyond its type (a blank name, a
taken address) is decided by the service.
"""

from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_type_hints
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from sessions_app.errors import invalid

S = TypeVar("S", bound=Struct)

# A name or text is bounded twice: here roughly, by its raw length, and in `text` exactly, once it is normalised.
RawName = Annotated[str, Meta(max_length=400)]
MaxUsers = Annotated[int, Meta(ge=2, le=1000, description="Seats; the upper bound is the setting MAX_USERS_LIMIT.")]
Dial = Annotated[int, Meta(ge=0, le=100, description="0–100; null is the persona's own.")]
Access = Literal["open", "members", "invite"]


class SpiritInput(Struct, frozen=True, kw_only=True):
    """Which spirit, when, how fast; what is left out stays as it is."""

    persona: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,49}$")] | UnsetType = UNSET
    mode: Literal["open", "summoned", "circle", "chorus", "off"] | UnsetType = UNSET
    pace: Literal["ritual", "brisk", "instant"] | UnsetType = UNSET
    locale: Annotated[str, Meta(pattern=r"^[a-z]{2}(-[A-Za-z]{2,4})?$", description="Its language.")] | UnsetType = (
        UNSET
    )
    warmth: Dial | None | UnsetType = UNSET
    riddling: Dial | None | UnsetType = UNSET
    menace: Dial | None | UnsetType = UNSET
    theme: Annotated[str, Meta(max_length=400)] | UnsetType = UNSET


class UpdateSession(Struct, frozen=True, kw_only=True):
    """Changes of a session; what is left out stays as it is."""

    name: RawName | UnsetType = UNSET
    max_users: MaxUsers | UnsetType = UNSET
    access: Access | UnsetType = UNSET
    is_listed: bool | UnsetType = UNSET
    is_locked: bool | UnsetType = UNSET
    spirit: SpiritInput | UnsetType = UNSET


class CreateSession(UpdateSession, frozen=True, kw_only=True):
    """A new session."""

    name: RawName


class PostMessage(Struct, frozen=True, kw_only=True):
    """A message."""

    text: str
    client_msg_id: str | None = None
    off_record: bool = False


class Kick(Struct, frozen=True, kw_only=True):
    """There is nothing more to say."""


class Mute(Struct, frozen=True, kw_only=True):
    """Whether a participant is muted from now on."""

    muted: bool


class SetRole(Struct, frozen=True, kw_only=True):
    """A participant's new role; `host` hands the host's seat over."""

    role: Literal["host", "participant", "observer"]


class NewInvite(Struct, frozen=True, kw_only=True):
    """A new invite: for how many people (no number: any), and for how many seconds."""

    max_uses: Annotated[int, Meta(ge=1, le=1000)] | None = None
    expires_in: Annotated[int, Meta(ge=60, le=365 * 86400, description="Seconds.")] = 7 * 86400


class NewReport(Struct, frozen=True, kw_only=True):
    """Somebody in the session, or one of its messages, and why."""

    reason: Literal["spam", "harassment", "hate", "sexual", "danger", "other"]
    participant_id: UUID | None = None
    message_id: UUID | None = None
    note: Annotated[str, Meta(max_length=4000)] = ""


class CloseReport(Struct, frozen=True, kw_only=True):
    """What became of a report."""

    state: Literal["acted", "dismissed"]


class Ban(Struct, frozen=True, kw_only=True):
    """There is nothing more to say."""


class NewGuest(Struct, frozen=True, kw_only=True):
    """A guest."""

    name: RawName


class Register(Struct, frozen=True, kw_only=True):
    """A new account."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=1000)]
    name: RawName


class Credentials(Struct, frozen=True, kw_only=True):
    """What an account logs in with."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=1000)]


class Upgrade(Struct, frozen=True, kw_only=True):
    """The account that a guest becomes; without a name the guest's."""

    email: Annotated[str, Meta(max_length=254)]
    password: Annotated[str, Meta(max_length=1000)]
    name: RawName | None = None


class RefreshInput(Struct, frozen=True, kw_only=True):
    """A refresh token; only with `?transport=cookie` it may be left out, and the cookie's counts."""

    refresh: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET


class OAuthStart(Struct, frozen=True, kw_only=True):
    """The page to come back to, if any."""

    next: Annotated[str, Meta(max_length=2000)] = ""


class OAuthCode(Struct, frozen=True, kw_only=True):
    """The code that stood in the address of the page."""

    code: Annotated[str, Meta(max_length=1000)]


class EmailInput(Struct, frozen=True, kw_only=True):
    """An e-mail address."""

    email: Annotated[str, Meta(max_length=254)]


class NewPassword(Struct, frozen=True, kw_only=True):
    """A new password, with the token of the mail."""

    token: Annotated[str, Meta(max_length=2000)]
    password: Annotated[str, Meta(max_length=1000)]


class ChangePassword(Struct, frozen=True, kw_only=True):
    """A new password, with the present one."""

    current_password: Annotated[str, Meta(max_length=1000)]
    password: Annotated[str, Meta(max_length=1000)]


def read(shape: type[S], body: Any) -> S:
    """The body as `shape`; raises `VALIDATION_ERROR` naming every wrong field. Unknown fields are ignored."""
    if not isinstance(body, dict):
        raise invalid(non_field_errors="The body must be a JSON object.")
    wrong: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    for field, hint in _fields(shape):
        if field.encode_name not in body:
            if field.required:
                wrong[field.encode_name] = ["This field is required."]
            continue
        try:
            values[field.name] = msgspec.convert(body[field.encode_name], hint)
        except msgspec.ValidationError as error:
            wrong[field.encode_name] = [_sentence(error)]
    if wrong:
        raise invalid(**wrong)
    return shape(**values)


@cache
def _fields(shape: type[Struct]) -> tuple[tuple[msgspec.structs.FieldInfo, Any], ...]:
    hints = get_type_hints(shape, include_extras=True)
    return tuple((field, hints[field.name]) for field in msgspec.structs.fields(shape))


def _sentence(error: msgspec.ValidationError) -> str:
    """msgspec's finding as a sentence, its path without the root."""
    said, _, path = str(error).partition(" - at `$")
    return f"{said.replace('`', '')}{f' (at {path[:-1].lstrip(chr(46))})' if path else ''}."
