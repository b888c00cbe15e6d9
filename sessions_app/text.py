"""sessions_app, the kitchen: what a name and a text may be, for everything that people type.

Texts are stored raw, in NFC and stripped. Control characters, lone surrogates and noncharacters are refused rather
than dropped, so that nobody is shown something else than what was sent; what shows nothing at all is blank.
"""

import unicodedata

from sessions_app.errors import Code, SeanceError, invalid

SESSION_NAME_MAX = 100
USER_NAME_MAX = 50
TEXT_MAX = 500
THEME_MAX = 200
CLIENT_MSG_ID_MAX = 64

# Bidirectional controls can make a name read as another one: UAX #9, section 2.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Letters and marks by category that nevertheless draw nothing.
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")


def _normalized(value: str) -> str:
    return unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()


def _refused(value: str, *, newline: bool) -> bool:
    """Whether a control character (a newline in a text aside), a lone surrogate or a noncharacter is in it."""
    if value.isascii() and value.isprintable():
        return False
    for character in value:
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and not (newline and character == "\n")):
            return True
        if ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF:
            return True
    return False


def _draws_something(value: str) -> bool:
    """Whether at least one character leaves ink: not a space, a format or a control character, nor a variation mark."""
    if value.isascii():
        return bool(value) and not value.isspace()
    return any(
        unicodedata.category(character) not in {"Cf", "Cc", "Zs", "Zl", "Zp", "Mn", "Me"}
        and character not in _BLANK_LETTERS
        for character in value
    )


def clean_name(value: str, *, limit: int, field: str = "name") -> str:
    """A name as it is stored; raises `VALIDATION_ERROR` for `field` where it cannot be one."""
    if _refused(value, newline=False):
        raise invalid(**{field: "Control characters are not allowed."})
    if not _BIDI.isdisjoint(value):
        raise invalid(**{field: "Direction controls are not allowed."})
    name = _normalized(value)
    if not _draws_something(name):
        raise invalid(**{field: "This field may not be blank."})
    if len(name) > limit:
        raise invalid(**{field: f"Ensure this field has no more than {limit} characters."})
    return name


def clean_theme(value: str) -> str:
    """What a host wants an evening to be about, on one line; it may be empty. Raises `VALIDATION_ERROR`."""
    return clean_name(value, limit=THEME_MAX, field="spirit") if value.strip() else ""


def clean_message(value: str) -> str:
    """A message's text as it is stored; raises `EMPTY_MESSAGE`, `MESSAGE_TOO_LONG` or `VALIDATION_ERROR`."""
    text = _normalized(value)
    if _refused(text, newline=True):
        raise invalid(text="Control characters are not allowed.")
    if not _draws_something(text):
        raise SeanceError(Code.EMPTY_MESSAGE)
    if len(text) > TEXT_MAX:
        raise SeanceError(Code.MESSAGE_TOO_LONG, details={"limit": TEXT_MAX, "length": len(text)})
    return text


def clean_note(value: str, *, limit: int) -> str:
    """A remark for staff, which may be empty; raises `VALIDATION_ERROR` for the field `note`."""
    text = _normalized(value)
    if _refused(text, newline=True):
        raise invalid(note="Control characters are not allowed.")
    if len(text) > limit:
        raise invalid(note=f"Ensure this field has no more than {limit} characters.")
    return text


def is_client_msg_id(value: str) -> bool:
    """Whether it can be one, and so may be looked for in the database."""
    return 0 < len(value) <= CLIENT_MSG_ID_MAX and value.isascii() and value.isprintable()


def clean_client_msg_id(value: str | None) -> str | None:
    """A client's own id of a message: 1–64 printable characters; raises `VALIDATION_ERROR`."""
    if value is None:
        return None
    if not is_client_msg_id(value):
        raise invalid(client_msg_id=f"Ensure this field has 1 to {CLIENT_MSG_ID_MAX} printable ASCII characters.")
    return value
