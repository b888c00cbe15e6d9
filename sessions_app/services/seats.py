"""sessions_app, writes: taking a seat and giving it back, many people at a time.

A join is decided under the lock of its session, so that the last seat goes to one; a batch of joins shares one
transaction, and one refused neighbour costs the others nothing. Every change of who is there makes a new presence
version, which tells a socket what its `welcome` knew already.
"""

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from msgspec.structs import replace
from uuid_utils.compat import uuid7

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError
from sessions_app.lookalikes import first_alike
from sessions_app.models import Connection, Invite, Participant, Role, Session, Stay, User
from sessions_app.prepared import Prepared, columns, insert, instance, pipelined, update
from sessions_app.publish import Notice, notice, publish
from sessions_app.security import digest
from sessions_app.selectors import history, shapes, turns
from sessions_app.selectors.invites import by_digest, is_good
from sessions_app.selectors.people import ended_families, holds
from sessions_app.services.accounts import ANONYMOUS
from sessions_app.services.log import Busy, locks
from sessions_app.services.turns import circle
from sessions_app.text import USER_NAME_MAX, clean_name

REPLACED = 4507
NOTHING = events.WelcomeSpirit(None)


class JoinRequest(NamedTuple):
    """One wish to join. `user_id`, `family` and `version` are the token's; from `secret`, a guest's own id, the public
    one is derived."""

    connection_id: UUID
    process_id: UUID
    session_id: UUID
    user_id: UUID | None = None
    secret: str | None = None
    name: str | None = None
    role: str | None = None
    invite: str | None = None
    family: UUID | None = None
    version: int = 0


class Joined(NamedTuple):
    """What a join brought: the whole state at `seq` of `epoch`, as of presence version `presence`."""

    session: events.SessionData
    participant: events.ParticipantData
    joined: events.UserJoined
    participants: list[events.ParticipantData]
    recent: list[events.MessageData]
    spirit: events.WelcomeSpirit
    epoch: str
    seq: int
    presence: int


def guest_id(session_id: UUID, secret: str) -> UUID:
    """The public id of a guest who chose `secret`: the same in this session for ever, unlike in any other, one-way."""
    message = session_id.bytes + secret.encode("utf-8", "surrogatepass")
    digest = hmac.new(settings.SECRET_KEY.encode(), b"guest" + message, hashlib.sha256).digest()
    return UUID(bytes=digest[:16], version=4)


def join(request: JoinRequest) -> Joined:
    """One join; raises the `SeanceError` that refused it."""
    result = join_sessions([request])[0]
    if isinstance(result, SeanceError):
        raise result
    return result


def join_sessions(requests: Sequence[JoinRequest], *, wait: bool = True) -> list[Joined | SeanceError]:
    """Join, each of them or not, in one transaction; the results are in the order of the requests.

    With wait=False a join into a session that somebody else has locked gets `Busy`.
    """
    with transaction.atomic():
        return _Joining(requests, wait=wait).run()


# Locked against whoever ends what these people came in with (`tokens.lock_user`), and against nothing else.
_users = Prepared(lambda ids, _: User.objects.filter(pk__in=ids).values_list(*columns(User)), key_share=True)
_seated = Prepared(
    lambda ids, _: Participant.objects.filter(session_id__in=ids, left_at__isnull=True).values_list(
        *columns(Participant)
    )
)
# Whoever has left is looked up by the person: over the years a session has more of them than a join should read.
_of_users = Prepared(
    lambda ids, _: Participant.objects.filter(user_id__in=ids, left_at__isnull=False).values_list(*columns(Participant))
)

_sockets = Prepared(
    lambda ids, _: Connection.objects.filter(participant__user_id__in=ids, close_code__isnull=True).values_list(
        "participant__user_id"
    )
)


class _Joining:
    """One batch under way: what was read for it, and what is to be written."""

    def __init__(self, requests: Sequence[JoinRequest], *, wait: bool) -> None:
        self.requests, self.wait = requests, wait
        self.now = events.now()
        self.user_ids = [_user_id(request) for request in requests]
        with pipelined():  # the fewer the round trips, the shorter the lock
            sessions = locks((request.session_id for request in requests), wait=wait)
            users = _users.ask_of(self.user_ids)
            seated = _seated.ask_of(request.session_id for request in requests)
            sockets = _sockets_of(self.user_ids)
            ended = ended_families(request.family for request in requests if request.family)
        self.sessions, self.sockets, self.ended = sessions(), sockets(), ended()
        self.users = {row.id: row for row in (instance(User, values) for values in users())}
        self.seated: dict[UUID, dict[UUID, Participant]] = {key: {} for key in self.sessions}
        self.known: dict[tuple[UUID, UUID], Participant] = {}
        people = [instance(Participant, values) for values in seated()]
        sitting = {(row.session_id, row.user_id) for row in people}
        wanted = zip(requests, self.user_ids, strict=True)
        away = [user_id for request, user_id in wanted if (request.session_id, user_id) not in sitting]
        people += (instance(Participant, values) for values in _of_users.rows_of(away))
        for row in sorted(people, key=attrgetter("joined_at", "id")):
            if row.session_id not in self.sessions:
                continue
            self.known[row.session_id, row.user_id] = row
            if row.left_at is None:
                self.seated[row.session_id][row.user_id] = row
        self.invites = by_digest(request.invite for request in requests if request.invite)
        self.used: dict[UUID, Invite] = {}
        self.new_users: list[User] = []
        self.new: list[Participant] = []
        self.changed: dict[UUID, Participant] = {}
        self.stays: list[Stay] = []  # former ones, of those who come back
        self.connections: list[Connection] = []
        self.recounted: list[Session] = []  # where somebody took a seat who only read, or the reverse
        self.notices: list[Notice] = []

    def run(self) -> list[Joined | SeanceError]:
        """Decide in order, write once, and read what the welcomes need."""
        places: list[tuple[Participant, list[Participant], int] | SeanceError] = []
        for request, user_id in zip(self.requests, self.user_ids, strict=True):
            try:
                places.append(self._seat(request, user_id))
            except SeanceError as refused:
                places.append(refused.kept())
        entered = {place[0].session_id for place in places if not isinstance(place, SeanceError)}
        talked = [key for key in entered if self.sessions[key].last_seq]
        with pipelined():
            self._write()
            recent = history.recent(talked, settings.SEANCE.recent_messages)
            spirits = turns.spirits(talked)
        if settings.SEANCE.rate_limits_enabled:
            self._close_surplus()
        publish(self.notices)
        return self._welcomes(places, recent(), spirits())

    def _seat(self, request: JoinRequest, user_id: UUID) -> tuple[Participant, list[Participant], int]:
        # First who it is, whatever the session: a refusal of the person says nothing about what there is.
        user = self.users.get(user_id)
        if user is not None:
            is_held = request.user_id is None or holds(user, request.version)
            if not user.is_active or not is_held or request.family in self.ended:  # banned, or signed out
                raise SeanceError(Code.UNAUTHORIZED)
        elif request.user_id is not None:  # a token of nobody
            raise SeanceError(Code.UNAUTHORIZED)
        if user is None and not settings.SEANCE.allow_anonymous:
            raise SeanceError(Code.UNAUTHORIZED)
        session = self.sessions.get(request.session_id)
        if session is None:
            raise SeanceError(Code.SESSION_NOT_FOUND) if self.wait else Busy()
        row = self.known.get((session.id, user_id))
        invite = self._let_in(session, user, row, request.invite)
        if not session.is_active:
            raise SeanceError(Code.SESSION_ENDED)
        if row is not None and row.kicked_at is not None:
            raise SeanceError(Code.FORBIDDEN, "The host has shut the door on you.", close_code=4503)
        policies.may_enter(session, user, takes_part=row is not None)
        name = None if request.name is None else clean_name(request.name, limit=USER_NAME_MAX)
        role = _role(session, user_id, row, request.role)
        seated = self.seated[session.id]
        if role != Role.OBSERVER and (row is None or row.left_at is not None or row.role == Role.OBSERVER):
            taken = sum(other.role != Role.OBSERVER for other in seated.values() if other.user_id != user_id)
            if taken >= session.max_users:
                raise SeanceError(Code.SESSION_FULL)

        if invite is not None:
            invite.uses += 1
            self.used[invite.id] = invite
        if user is None:
            user = User(id=user_id, name=name or ANONYMOUS, is_guest=True)
            self.users[user_id] = user
            self.new_users.append(user)
        is_first = row is None or row.left_at is not None
        if row is None:
            row = Participant(session=session, user=user, name=name or user.name, role=role, joined_at=self.now)
            row.looks_like_id = _alike(row, seated)
            self.known[session.id, user_id] = row
            self.new.append(row)
        elif is_first or row.away_since is not None or row.role != role:
            if (
                row.left_at is not None
            ):  # else everybody knows this seat by the name it has, and nobody would be told of another
                row.name = name or row.name
                row.looks_like_id = _alike(row, seated)
                self.stays.append(Stay(participant=row, joined_at=row.joined_at, left_at=row.left_at))
                row.joined_at = self.now
            elif Role.OBSERVER in (row.role, role) and row.role != role:
                session.presence_version += 1
                self.recounted.append(session)
            row.role = role
            row.left_at = row.away_since = None
            self.changed[row.id] = row
        seated[user_id] = row
        if is_first:
            session.presence_version += 1
            told = notice(session.id, "user_joined", shapes.user_joined(row), presence=session.presence_version)
            self.notices.append(told)
        self.connections.append(
            Connection(id=request.connection_id, participant=row, process_id=request.process_id, opened_at=self.now)
        )
        self.sockets[user_id] += 1
        return row, list(seated.values()), session.presence_version

    def _let_in(self, session: Session, user: User | None, row: Participant | None, code: str | None) -> Invite | None:
        """None for who may come in anyway, or else the invite that lets a new person in; raises what refuses both."""
        try:
            policies.may_know(session, user, takes_part=row is not None)
        except SeanceError:
            invite = self.invites.get(digest(code)) if code else None
            if not is_good(invite, session.id, self.now):
                raise
            return invite
        return None

    def _write(self) -> None:
        new = {row.id for row in self.new}
        insert(self.new_users)
        insert(self.new)
        old = [row for row in self.changed.values() if row.id not in new]
        update(old, "name", "role", "joined_at", "left_at", "away_since", "looks_like")
        insert(self.stays)
        insert(self.connections)
        update(list(self.used.values()), "uses")
        save_presence([*(self.sessions[UUID(told.session)] for told in self.notices), *self.recounted])

    def _close_surplus(self) -> None:
        """Whoever opens a socket too many loses the oldest."""
        limit = settings.SEANCE.sockets_per_user
        for user_id in [key for key, count in self.sockets.items() if count > limit]:
            open_ = Connection.objects.filter(participant__user_id=user_id, close_code__isnull=True)
            surplus = list(open_.order_by("-opened_at", "-id").values_list("id", "participant__session_id")[limit:])
            Connection.objects.filter(id__in=[key for key, _ in surplus]).update(close_code=REPLACED)
            self.notices.extend(
                Notice(str(session_id), "", "", close=str(key), close_code=REPLACED) for key, session_id in surplus
            )

    def _welcomes(
        self,
        places: list[tuple[Participant, list[Participant], int] | SeanceError],
        recent: Mapping[UUID, list[events.MessageData]],
        spirits: Mapping[UUID, events.WelcomeSpirit],
    ) -> list[Joined | SeanceError]:
        results: list[Joined | SeanceError] = []
        for place in places:
            if isinstance(place, SeanceError):
                results.append(place)
                continue
            row, others, version = place
            session = self.sessions[row.session_id]
            spirit = spirits.get(session.id, NOTHING)
            if (asks := circle.as_told(session, others)) is not None:
                spirit = replace(spirit, circle=asks)
            count = sum(other.role != Role.OBSERVER for other in others)
            results.append(
                Joined(
                    session=shapes.session_data(session, count),
                    participant=shapes.participant_data(row, is_present=True),
                    joined=shapes.user_joined(row),
                    participants=[
                        shapes.participant_data(other, is_present=other.away_since is None) for other in others
                    ],
                    recent=recent.get(session.id, []),
                    spirit=spirit,
                    epoch=session.epoch,
                    seq=session.last_seq,
                    presence=version,
                )
            )
        return results


def _user_id(request: JoinRequest) -> UUID:
    if request.user_id is not None:
        return request.user_id
    return guest_id(request.session_id, request.secret) if request.secret else uuid7()


def _alike(row: Participant, seated: dict[UUID, Participant]) -> UUID | None:
    """Who sits there already with a name that reads the same; those who gave none are told apart by nothing else."""
    if row.name == ANONYMOUS:
        return None
    others = [other for other in seated.values() if other.id != row.id]
    found = first_alike(row.name, (other.name for other in others))
    return None if found is None else others[found].id


def _role(session: Session, user_id: UUID, row: Participant | None, wanted: str | None) -> str:
    if session.host_id == user_id:
        return Role.HOST
    if wanted == Role.HOST:
        raise SeanceError(Code.FORBIDDEN, "Only the host is the host.")
    if row is not None and row.is_role_given and row.role == Role.OBSERVER:
        return Role.OBSERVER  # made one by the host
    return wanted or (row.role if row is not None and row.role != Role.HOST else Role.PARTICIPANT)


def _sockets_of(user_ids: Sequence[UUID]) -> Callable[[], Counter[UUID]]:
    asked = _sockets.ask_of(user_ids if settings.SEANCE.rate_limits_enabled else ())
    return lambda: Counter(user_id for (user_id,) in asked())


def save_presence(sessions: Sequence[Session]) -> None:
    """Write the presence versions of locked sessions."""
    update(list({row.id: row for row in sessions}.values()), "presence_version")


def leave(rows: Sequence[Participant], reason: events.PresenceReason, at: datetime) -> list[Notice]:
    """Free the seats of participants whose `session` is a locked row; returns what to publish."""
    notices = []
    for row in rows:
        row.left_at, row.away_since = at, None
        row.session.presence_version += 1
        told = shapes.user_left(row, reason)
        notices.append(notice(row.session_id, "user_left", told, presence=row.session.presence_version))
    update(rows, "left_at", "away_since")
    save_presence([row.session for row in rows])
    return notices
