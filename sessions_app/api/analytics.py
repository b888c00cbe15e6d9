"""sessions_app/api, the REST door: analytics, of all sessions for staff, and of one for its host."""

from datetime import date, timedelta
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from sessions_app import events, figures
from sessions_app.api.base import Door
from sessions_app.api.envelope import answer
from sessions_app.api.openapi import enveloped, operation, parameter
from sessions_app.api.query import Query
from sessions_app.api.sessions import SESSION_ID, UNKNOWN, known
from sessions_app.errors import Code
from sessions_app.selectors import analytics

DAYS_DEFAULT, DAYS_MAX = 30, 366

ALL = enveloped("OverviewAnswer", figures.Overview)
ONE = enveloped("SessionFiguresAnswer", figures.SessionFigures)
_DAY = {"type": "string", "format": "date"}
RANGE = [
    parameter("since", _DAY, f"The first day, by default such that there are {DAYS_DEFAULT}."),
    parameter("until", _DAY, f"The last day, at most {DAYS_MAX} with the first; by default today. Days are UTC."),
]


class Analytics(Door):
    """`/api/analytics/…`."""

    @operation(
        "getOverview", "analytics", "Count all sessions, by day", answers={200: ALL}, parameters=RANGE,
        errors=[Code.FORBIDDEN, Code.VALIDATION_ERROR], caller="known",
    )  # fmt: skip
    def overview(self, request: Request) -> HttpResponse:
        """For staff. As old as `as_of`, but for `live`, which is now. Every day of the range is there."""
        query = Query(request.query_params)
        until = query.day("until", events.now().date())
        since = query.day("since", max(date(1970, 1, 1), until - timedelta(days=DAYS_DEFAULT - 1)))
        if not query.wrong and not 0 <= (until - since).days < DAYS_MAX:
            query.wrong["since"] = [f"From here to `until` there must be 1 to {DAYS_MAX} days."]
        query.check()
        return answer(analytics.overview(self.actor, since=since, until=until))

    @operation(
        "getSessionFigures", "analytics", "Count one session, whole and by day", answers={200: ONE},
        parameters=[SESSION_ID], errors=UNKNOWN, caller="known",
    )  # fmt: skip
    def retrieve(self, request: Request, session_id: UUID | None) -> HttpResponse:
        """For its host and staff. As old as `as_of`."""
        return answer(analytics.of_session(self.actor, known(session_id)))
