"""sessions_app, writes: people who are gone for good, everywhere at once: erased by themselves, or banned by staff."""

from collections.abc import Callable
from typing import TypeVar

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q

from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Identity, Message, Participant, Report, Session, User
from sessions_app.publish import REWRITTEN, Notice, publish
from sessions_app.services.hosts import follow
from sessions_app.services.log import lock_sessions
from sessions_app.services.rollup import mark_stale
from sessions_app.services.seats import leave, save_presence
from sessions_app.services.tokens import end_all, lock_user

R = TypeVar("R")

ERASED = "Someone"
GONE = 4500  # the close code of sockets whose user is no more
ATTEMPTS = 5


class Moved(Exception):  # noqa: N818  not an error: begin again
    """The person sat down somewhere else in this very moment."""


def settled(work: Callable[[], R]) -> R:
    """Run `work`, which vacates somebody's places, as one transaction; again where the person moved meanwhile."""
    for _ in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return work()
        except Moved:
            continue
    raise SeanceError(Code.UNAVAILABLE, retry_after_ms=1000)


def vacate(user: User, reason: events.PresenceReason, *, everywhere: bool = False) -> list[Notice]:
    """Free every seat of a person, who is followed as a host; returns what to publish.

    Sessions are locked first and the person last, as a join does it; that lock keeps further joins out until the end
    of the transaction. Whoever sat down elsewhere in between is `Moved`. With `everywhere` the sessions of the past are
    locked, too, and all of them are counted anew and get another version: what was kept of them is told no more.
    """
    seated = Participant.objects.filter(user=user, left_at__isnull=True)
    places = Q(pk__in=seated.values("session_id")) | Q(host=user, is_active=True)
    if everywhere:
        places = Q(pk__in=Participant.objects.filter(user=user).values("session_id")) | Q(host=user)
    sessions = lock_sessions(Session.objects.filter(places).values_list("pk", flat=True))
    if everywhere:
        mark_stale(sessions.keys())  # before the person: who counts holds these rows, and then needs the person's
    lock_user(user.id)
    rows = list(seated)
    for row in rows:
        if row.session_id not in sessions:
            raise Moved
        row.session = sessions[row.session_id]
    at = events.now()
    notices = leave(rows, reason, at)
    if everywhere:
        for session in sessions.values():
            session.presence_version += 1
        save_presence(list(sessions.values()))
    for session in sessions.values():
        if session.host_id == user.id:
            notices += follow(session, at)
    return notices


def erase(*, actor: User) -> User:
    """Erase a person: what is left is a nameless shell that nobody can come in with; there is no way back.

    The row stays, so that the sessions it hosted can still be read. E-mail address, password, rights, tokens and
    accounts at providers go; the name becomes "Someone", in seats, messages and the log of the admins too. Messages
    keep their text, which is part of what others said, but no longer say whose they are: `user_id` becomes null. Seats
    are freed, a host is followed, open sockets are closed with 4500, and access tokens are refused from now on.
    """
    return settled(lambda: _erase(actor))


def _erase(actor: User) -> User:
    notices = vacate(actor, "left", everywhere=True)  # what was said there is told with another name from now on
    end_all(actor, GONE)
    actor.refresh_tokens.all().delete()
    Identity.objects.filter(user=actor).delete()
    Report.objects.filter(reporter=actor).update(reporter=None, note="")
    actor.groups.clear()
    actor.user_permissions.clear()
    actor.name, actor.email, actor.is_guest, actor.is_active = ERASED, None, True, False
    actor.is_staff = actor.is_superuser = False
    actor.set_unusable_password()
    actor.save()
    # Through the sessions, whose log has an index: nobody has spoken where they neither have a place nor are the host.
    places = Session.objects.filter(Q(participants__user=actor) | Q(host=actor)).values("pk")
    Message.objects.filter(session__in=places, user=actor).update(user=None, user_name=ERASED)
    Participant.objects.filter(user=actor).update(name=ERASED)
    in_admin = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(User), object_id=str(actor.pk))
    in_admin.update(object_repr=str(actor))
    rewritten = [Notice(str(place), REWRITTEN, "") for place in places.values_list("pk", flat=True).distinct()]
    publish([*notices, *rewritten])
    return actor
