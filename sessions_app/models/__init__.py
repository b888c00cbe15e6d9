"""sessions_app, nouns: one file per aggregate."""

from sessions_app.models.access import EndedFamily, OneTimeToken, RefreshToken, TokenKind
from sessions_app.models.analytics import (
    STALE,
    CloseHour,
    DayRollup,
    LatencyHour,
    LatencyKind,
    PersonDay,
    RollupLease,
    SessionHour,
    SessionRollup,
)
from sessions_app.models.audit import Act, AuditEntry
from sessions_app.models.identity import Identity, OAuthAttempt
from sessions_app.models.invite import Invite
from sessions_app.models.message import Answer, Event, Message
from sessions_app.models.participant import Connection, Participant, Role, ServerProcess, Stay, Stream
from sessions_app.models.persona import PersonaVersion, Reservation, Spending, SpiritPersona, VersionState
from sessions_app.models.report import Reason, Report, ReportState
from sessions_app.models.session import Access, Mode, Pace, Session
from sessions_app.models.spirit import SpiritTurn, TurnState
from sessions_app.models.store import Store
from sessions_app.models.user import User
from sessions_app.models.webhook import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent

__all__ = [
    "STALE",
    "Access",
    "Act",
    "Answer",
    "AuditEntry",
    "CloseHour",
    "Connection",
    "DayRollup",
    "DeliveryState",
    "EndedFamily",
    "Event",
    "Identity",
    "Invite",
    "LatencyHour",
    "LatencyKind",
    "Message",
    "Mode",
    "OAuthAttempt",
    "OneTimeToken",
    "Pace",
    "Participant",
    "PersonDay",
    "PersonaVersion",
    "Reason",
    "RefreshToken",
    "Report",
    "ReportState",
    "Reservation",
    "Role",
    "RollupLease",
    "ServerProcess",
    "Session",
    "SessionHour",
    "SessionRollup",
    "Spending",
    "SpiritPersona",
    "SpiritTurn",
    "Stay",
    "Store",
    "Stream",
    "TokenKind",
    "TurnState",
    "User",
    "VersionState",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
]
