"""sessions_app/api, the REST door: reports to staff, their queue, and bans."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from sessions_app import events
from sessions_app.api.base import Door
from sessions_app.api.envelope import answer
from sessions_app.api.openapi import enveloped, identifier, operation, parameter
from sessions_app.api.query import PER_PAGE_MAX, Query, page_of
from sessions_app.api.sessions import PAGING, SESSION_ID, UNKNOWN, known, named
from sessions_app.api.shapes import PageMeta, ReportData, ReportedMessage, ReportMade
from sessions_app.errors import Code
from sessions_app.inputs import Ban, CloseReport, NewReport, read
from sessions_app.models import Report, ReportState
from sessions_app.selectors.reports import reports
from sessions_app.selectors.shapes import user_data
from sessions_app.services import bans
from sessions_app.services import reports as services

MADE = enveloped("ReportMadeAnswer", ReportMade)
ONE = enveloped("ReportAnswer", ReportData)
PAGE = enveloped("ReportPage", list[ReportData], PageMeta)
USER = enveloped("UserAnswer", events.UserData)
REPORT_ID = identifier("report_id", "The report's id.")
USER_ID = identifier("user_id", "The user's id.")
STATE = parameter("state", {"type": "string", "enum": ReportState.values}, "Only those that stand like this.")


class Complaints(Door):
    """`/api/sessions/{session_id}/reports`: anybody known who may know of the session."""

    @operation(
        "createReport", "moderation", "Report somebody or a message", answers={200: MADE, 201: MADE}, body=NewReport,
        parameters=[SESSION_ID], errors=[*UNKNOWN, Code.NOT_FOUND], caller="known",
    )  # fmt: skip
    def create(self, request: Request, session_id: UUID | None) -> HttpResponse:
        """Staff read it. 200 where it is known already."""
        room, values = known(session_id), read(NewReport, request.data)
        row, is_new = services.report(actor=self.actor, session_id=room, values=values)
        told = ReportMade(row.id, row.reason, row.created_at, row.state)
        if not is_new:
            return answer(told)
        return answer(told, status=201, headers={"Location": f"/api/reports/{row.id}"})


class Reports(Door):
    """`/api/reports` and one of them: staff."""

    @operation(
        "listReports", "moderation", "Read the reports", answers={200: PAGE}, parameters=[*PAGING, STATE],
        errors=[Code.VALIDATION_ERROR, Code.NOT_FOUND, Code.FORBIDDEN], caller="known",
    )  # fmt: skip
    def list(self, request: Request) -> HttpResponse:
        """The oldest first."""
        query = Query(request.query_params)
        page = query.integer("page", least=1) or 1
        per_page = query.integer("per_page", least=1, most=PER_PAGE_MAX) or 20
        state = query.choice("state", ReportState.values, "") if "state" in request.query_params else None
        rows = reports(self.actor, state)
        query.check()
        found, total = page_of(rows, page, per_page)
        meta = PageMeta(timestamp=events.now(), page=page, per_page=per_page, total=total)
        return answer([report_data(row) for row in found], meta=meta)

    @operation(
        "closeReport", "moderation", "Say what became of a report", answers={200: ONE}, parameters=[REPORT_ID],
        body=CloseReport, errors=[Code.FORBIDDEN, Code.NOT_FOUND], caller="known",
    )  # fmt: skip
    def partial_update(self, request: Request, report_id: UUID | None) -> HttpResponse:
        """What is closed stays as it was closed."""
        state = read(CloseReport, request.data).state
        return answer(report_data(services.close_report(actor=self.actor, report_id=named(report_id), state=state)))


class Users(Door):
    """`/api/users/{user_id}/…`: staff; staff themselves only by superusers."""

    @operation(
        "banUser", "moderation", "Ban somebody", answers={200: USER}, parameters=[USER_ID],
        errors=[Code.FORBIDDEN, Code.NOT_FOUND, Code.VALIDATION_ERROR, Code.UNSUPPORTED_MEDIA_TYPE], caller="known",
    )  # fmt: skip
    def ban(self, request: Request, user_id: UUID | None) -> HttpResponse:
        """Tokens are refused from now on, seats are freed, sockets closed with 4503. Twice is the same as once."""
        read(Ban, request.data)
        return answer(user_data(bans.ban(actor=self.actor, user_id=named(user_id))))

    @operation(
        "unbanUser", "moderation", "Let somebody in again", answers={200: USER}, parameters=[USER_ID],
        errors=[Code.FORBIDDEN, Code.NOT_FOUND, Code.VALIDATION_ERROR, Code.UNSUPPORTED_MEDIA_TYPE], caller="known",
    )  # fmt: skip
    def unban(self, request: Request, user_id: UUID | None) -> HttpResponse:
        """Tokens from before stay refused: the person must come in anew."""
        read(Ban, request.data)
        return answer(user_data(bans.unban(actor=self.actor, user_id=named(user_id))))


def report_data(row: Report) -> ReportData:
    """A report as staff see it."""
    message, who = row.message, row.participant
    return ReportData(
        id=row.id,
        reason=row.reason,
        created_at=row.created_at,
        state=row.state,
        session_id=row.session_id,
        reporter_id=row.reporter_id,
        participant_id=row.participant_id,
        user_id=who.user_id if who is not None else None,
        name=who.name if who is not None else None,
        message=None
        if message is None
        else ReportedMessage(
            message.id, message.seq, message.user_name, message.text, message.is_spirit, message.deleted_at
        ),
        note=row.note,
        closed_at=row.closed_at,
        closed_by=row.closed_by_id,
    )
