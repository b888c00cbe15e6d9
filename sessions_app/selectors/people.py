"""sessions_app, reads: whose token it is."""

from collections.abc import Callable, Iterable
from uuid import UUID

from django.db.models import Exists, Value

from sessions_app.errors import Code, SeanceError
from sessions_app.models import EndedFamily, User
from sessions_app.prepared import Prepared
from sessions_app.security import Claims

_ended = Prepared(lambda ids, _: EndedFamily.objects.filter(pk__in=ids).values_list("family"))


def bearer(claims: Claims) -> User:
    """Whoever a good token belongs to; raises `UNAUTHORIZED` where the person, the family or the version is not good
    any more. One query."""
    rows = User.objects.filter(pk=claims.user_id)
    if claims.family is not None:
        rows = rows.annotate(is_ended=Exists(EndedFamily.objects.filter(pk=claims.family)))
    else:
        rows = rows.annotate(is_ended=Value(False))
    user = rows.first()
    if user is None or not holds(user, claims.version) or user.is_ended:
        raise SeanceError(Code.UNAUTHORIZED, "The access token is not valid.")
    return user


def holds(user: User, version: int) -> bool:
    """Whether a token of this version still lets this person in."""
    return user.is_active and user.token_version == version


def ended_families(families: Iterable[UUID]) -> Callable[[], set[UUID]]:
    """Ask which of the families were revoked, together with what else is sent within `pipelined`; call for the answer.

    No query where there are none.
    """
    asked = _ended.ask_of(families)
    return lambda: {family for (family,) in asked()}
