"""sessions_app/api, the REST door: what the host and staff do to people in a session, and the invites into it."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from sessions_app import events
from sessions_app.api.base import Door
from sessions_app.api.envelope import answer
from sessions_app.api.openapi import enveloped, identifier, operation, parameter
from sessions_app.api.sessions import SESSION_ID, UNKNOWN, known, named
from sessions_app.api.shapes import InviteCode, InviteEnd
from sessions_app.errors import Code
from sessions_app.inputs import Kick, Mute, NewInvite, SetRole, read
from sessions_app.services import invites, moderation

ONE = enveloped("ParticipantAnswer", events.ParticipantData)
MADE = enveloped("InviteAnswer", InviteCode)
ENDED = enveloped("InviteEndAnswer", InviteEnd)
WHO = [SESSION_ID, identifier("participant_id", "The participant's id.")]
CODE = parameter("code", {"type": "string"}, "The invite's code.", place="path")
REFUSALS = [*UNKNOWN, Code.NOT_FOUND, Code.SESSION_ENDED]


class Participants(Door):
    """`/api/sessions/{session_id}/participants/{participant_id}/…`: host and staff, and nobody the host."""

    @operation(
        "kickParticipant", "moderation", "Send somebody away", answers={200: ONE}, parameters=WHO,
        errors=[*REFUSALS, Code.VALIDATION_ERROR, Code.UNSUPPORTED_MEDIA_TYPE], caller="known",
    )  # fmt: skip
    def kick(self, request: Request, session_id: UUID | None, participant_id: UUID | None) -> HttpResponse:
        """For good: the room gets `user_left`, the sockets close with 4503. Twice is the same as once."""
        room, who, _ = known(session_id), named(participant_id), read(Kick, request.data)
        return answer(moderation.kick(actor=self.actor, session_id=room, participant_id=who))

    @operation(
        "muteParticipant", "moderation", "Mute somebody, or no more", answers={200: ONE}, parameters=WHO, body=Mute,
        errors=REFUSALS, caller="known",
    )  # fmt: skip
    def mute(self, request: Request, session_id: UUID | None, participant_id: UUID | None) -> HttpResponse:
        """From the next message on, over whatever socket."""
        room, who, muted = known(session_id), named(participant_id), read(Mute, request.data).muted
        return answer(moderation.mute(actor=self.actor, session_id=room, participant_id=who, muted=muted))

    @operation(
        "setParticipantRole", "moderation", "Give somebody another role", answers={200: ONE}, parameters=WHO,
        body=SetRole, errors=[*REFUSALS, Code.SESSION_FULL], caller="known",
    )  # fmt: skip
    def role(self, request: Request, session_id: UUID | None, participant_id: UUID | None) -> HttpResponse:
        """`host` hands the host's seat over: the room gets `session_updated`. An observer made here stays one."""
        room, who, role = known(session_id), named(participant_id), read(SetRole, request.data).role
        return answer(moderation.set_role(actor=self.actor, session_id=room, participant_id=who, role=role))


class Invites(Door):
    """`/api/sessions/{session_id}/invites` and one of them: host and staff."""

    @operation(
        "createInvite", "moderation", "Make an invite", answers={201: MADE}, parameters=[SESSION_ID], body=NewInvite,
        errors=[*UNKNOWN, Code.SESSION_ENDED], caller="known",
    )  # fmt: skip
    def create(self, request: Request, session_id: UUID | None) -> HttpResponse:
        """The code is told this once. Whoever has it may know of the session, and join it as a new person."""
        room, values = known(session_id), read(NewInvite, request.data)
        row, code = invites.create_invite(actor=self.actor, session_id=room, values=values)
        url = request.build_absolute_uri(f"/api/sessions/{room}?invite={code}")
        place = f"/api/sessions/{room}/invites/{code}"
        made = InviteCode(code, url, row.max_uses, row.uses, row.expires_at)
        return answer(made, status=201, headers={"Location": place})

    @operation(
        "revokeInvite", "moderation", "Revoke an invite", answers={200: ENDED}, parameters=[SESSION_ID, CODE],
        errors=[*UNKNOWN, Code.NOT_FOUND], caller="known",
    )  # fmt: skip
    def destroy(self, request: Request, session_id: UUID | None, code: str) -> HttpResponse:
        """Whoever came in with it stays. Twice is the same as once; a code of nothing here is `NOT_FOUND`."""
        row = invites.revoke_invite(actor=self.actor, session_id=known(session_id), code=code)
        return answer(InviteEnd(code, row.uses, row.revoked_at or events.now()))
