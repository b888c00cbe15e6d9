"""sessions_app, writes: people tell staff of others, and staff say what became of it."""

from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from sessions_app import events, policies
from sessions_app.errors import Code, SeanceError, invalid
from sessions_app.inputs import NewReport
from sessions_app.models import Act, Message, Participant, Report, ReportState, Session, User
from sessions_app.models.report import NOTE_MAX
from sessions_app.services.audit import record
from sessions_app.services.log import lock_known
from sessions_app.text import clean_note


class Made(NamedTuple):
    """A report, and whether it was new."""

    row: Report
    is_new: bool


@transaction.atomic
def report(*, actor: User | None, session_id: UUID, values: NewReport) -> Made:
    """Tell staff of somebody in a session, or of a message, in a session that one may know of, ended or not.

    The same twice is once, for as long as staff have not closed it. Raises `UNAUTHORIZED`, `SESSION_NOT_FOUND`,
    `NOT_FOUND` for what is not in the session, `FORBIDDEN` for oneself, `VALIDATION_ERROR`.
    """
    session = lock_known(session_id, actor)  # two reports at once by one person would both be new
    reporter, note = policies.require_user(actor), clean_note(values.note, limit=NOTE_MAX)
    message, participant = _named(session, values)
    if participant is not None and participant.user_id == reporter.id:
        raise SeanceError(Code.FORBIDDEN, "Nobody reports oneself.")
    open_ = Report.objects.filter(session=session, reporter=reporter, state=ReportState.OPEN)
    found = open_.filter(message=message, participant=participant).first()
    if found is not None:
        return Made(found, is_new=False)
    row = Report.objects.create(
        session=session, reporter=reporter, participant=participant, message=message, reason=values.reason,
        note=note, created_at=events.now(),
    )  # fmt: skip
    return Made(row, is_new=True)


def _named(session: Session, values: NewReport) -> tuple[Message | None, Participant | None]:
    """What is reported; of a message also whoever said it."""
    if values.message_id is None and values.participant_id is None:
        raise invalid(non_field_errors="Name a participant or a message.")
    message = participant = None
    if values.message_id is not None:
        message = Message.objects.filter(session=session, pk=values.message_id).first()
        if message is None:
            raise SeanceError(Code.NOT_FOUND)
        participant = Participant.objects.filter(session=session, user=message.user_id).first()
    if values.participant_id is not None:
        found = Participant.objects.filter(session=session, pk=values.participant_id).first()
        if found is None or (message is not None and found != participant):
            raise SeanceError(Code.NOT_FOUND)
        participant = found
    return message, participant


@transaction.atomic
def close_report(*, actor: User | None, report_id: UUID, state: str) -> Report:
    """Say what became of a report: staff. What is closed stays as it was closed.

    Raises `UNAUTHORIZED`, `FORBIDDEN`, `NOT_FOUND`.
    """
    staff = policies.require_staff(actor)
    row = Report.objects.select_for_update(of=("self",)).filter(pk=report_id).first()
    if row is None:
        raise SeanceError(Code.NOT_FOUND)
    if row.state == ReportState.OPEN:
        row.state, row.closed_at, row.closed_by = state, events.now(), staff
        row.save(update_fields=["state", "closed_at", "closed_by"])
        record(Act.CLOSE_REPORT, actor=staff, session=row.session, target=row.id, state=state)
    return row
