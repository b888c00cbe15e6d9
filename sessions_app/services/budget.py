"""sessions_app, writes: what models may cost. Reserved before a call, settled after it, in four budgets a day.

A budget is a row that is raised only while it is below its limit, in one transaction for all four: of a hundred who
ask at once, exactly as many are let through as there is room for, whatever process they ask.
"""

from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest

from sessions_app.models import Spending
from sessions_app.spirits.base import Usage


class Spender(NamedTuple):
    """Who asks, where, and which provider would answer."""

    session_id: UUID
    user_id: UUID | None
    provider: str


class Reservation(NamedTuple):
    """What was set aside: so many tokens in each of the rows, (scope, key), of one day."""

    rows: tuple[tuple[str, str], ...]
    day: date
    tokens: int


class _Refused(Exception):  # noqa: N818  rolls the reservation back
    pass


def _limits(spender: Spender) -> list[tuple[str, str, int, int]]:
    """(scope, key, calls, tokens) of each budget, 0 for no limit; the one that all share comes last."""
    env = settings.SEANCE
    seat = f"{spender.session_id}:{spender.user_id or '-'}"
    return [
        ("seat", seat, env.spirit_calls_per_seat, 0),
        ("session", str(spender.session_id), env.spirit_calls_per_session, 0),
        ("provider", spender.provider, env.spirit_calls_per_provider, 0),
        ("installation", "all", env.spirit_calls_per_day, env.spirit_tokens_per_day),
    ]


def reserve(spender: Spender, *, tokens: int) -> Reservation | None:
    """Set one call and these tokens aside in every budget, or, where one has no room, in none: None."""
    day = datetime.now(UTC).date()
    limits = _limits(spender)
    rows = tuple((scope, key) for scope, key, _, _ in limits)
    Spending.objects.bulk_create(
        [Spending(scope=scope, key=key, day=day) for scope, key in rows], ignore_conflicts=True
    )
    try:
        with transaction.atomic():
            for scope, key, calls, most in limits:
                room = Q(scope=scope, key=key, day=day)
                if calls:
                    room &= Q(calls__lt=calls)
                if most:
                    room &= Q(tokens__lte=most - tokens)
                if not Spending.objects.filter(room).update(calls=F("calls") + 1, tokens=F("tokens") + tokens):
                    raise _Refused
    except _Refused:
        return None
    return Reservation(rows, day, tokens)


@transaction.atomic
def settle(reserved: Reservation, used: Usage | None, *, was_called: bool) -> None:
    """Put what was truly used in the place of what was set aside; a call that was not made costs nothing.

    Where the provider did not say what it used, what was set aside counts.
    """
    spent = used.prompt_tokens + used.completion_tokens if used else reserved.tokens if was_called else 0
    for scope, key in reserved.rows:
        Spending.objects.filter(scope=scope, key=key, day=reserved.day).update(
            calls=Greatest(F("calls") - (0 if was_called else 1), 0),
            tokens=Greatest(F("tokens") + (spent - reserved.tokens), 0),
            cost_microcents=F("cost_microcents") + (used.cost_microcents if used else 0),
        )
