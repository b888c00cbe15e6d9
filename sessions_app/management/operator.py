"""sessions_app, the operator's door: who a command acts as, and whom it acts on."""

from uuid import UUID

from sessions_app.errors import Code, SeanceError
from sessions_app.models import User


def operator() -> User:
    """Whoever runs commands on the server: above everybody, and nobody in the database.

    The id is empty, so that an event says `by: null` and no foreign key can point at a person who is not there.
    """
    return User(id=None, name="operator", is_staff=True, is_superuser=True)


def find_user(given: str) -> User:
    """The user with this id or e-mail address; raises `NOT_FOUND`."""
    given = given.strip()
    try:
        found = User.objects.filter(pk=UUID(given)).first()
    except ValueError:
        address = given.lower()
        found = None if "\x00" in address else User.objects.filter(email=address).first()
    if found is None:
        raise SeanceError(Code.NOT_FOUND, "There is no user with this id or e-mail address.")
    return found


def session_id(given: str) -> UUID:
    """A session's id; what is no UUID is the id of no session: raises `SESSION_NOT_FOUND`."""
    try:
        return UUID(given.strip())
    except ValueError:
        raise SeanceError(Code.SESSION_NOT_FOUND) from None
