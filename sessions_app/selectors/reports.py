"""sessions_app, reads: the queue of reports, for staff."""

from django.db.models import QuerySet

from sessions_app import policies
from sessions_app.models import Report, User


def reports(actor: User | None, state: str | None) -> QuerySet[Report]:
    """Reports, the oldest first, with what they are about; raises `UNAUTHORIZED`, `FORBIDDEN`."""
    policies.require_staff(actor)
    rows = Report.objects.select_related("participant", "message").order_by("id")
    return rows if state is None else rows.filter(state=state)
