"""sessions_app, writes: what models may cost. Reserved before a call, settled after it, in four budgets a day.

A budget is a row that is raised only while it is below its limit, in one transaction for all four: of a hundred who
ask at once, exactly as many are let through as there is room for, whatever process they ask.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now

from sessions_app.models import Reservation, Spending
from sessions_app.spirits.base import Usage

__all__ = ["Reservation", "Spender", "give_back_lost", "reserve", "settle"]

KEPT_DAYS = 30  # what was spent by whom is told for so long; what an answer cost stays with its turn


class Spender(NamedTuple):
    """Who asks, where, and which provider would answer."""

    session_id: UUID
    user_id: UUID | None
    provider: str


class _Refused(Exception):  # noqa: N818  rolls the reservation back
    pass


def _rows(spender: Spender) -> list[tuple[str, str]]:
    """(scope, key) of each budget that a call is counted in; the one that all share comes last."""
    seat = f"{spender.session_id}:{spender.user_id or '-'}"
    session, provider = str(spender.session_id), spender.provider
    return [("seat", seat), ("session", session), ("provider", provider), ("installation", "all")]


def _limits() -> dict[str, tuple[int, int]]:
    """Scope → most calls and tokens a day, 0 for no limit."""
    env = settings.SEANCE
    return {
        "seat": (env.spirit_calls_per_seat, 0),
        "session": (env.spirit_calls_per_session, 0),
        "provider": (env.spirit_calls_per_provider, 0),
        "installation": (env.spirit_calls_per_day, env.spirit_tokens_per_day),
    }


def reserve(spender: Spender, *, tokens: int) -> Reservation | None:
    """Set one call and these tokens aside in every budget, or, where one has no room, in none: None.

    What was set aside by processes that did not live to settle it is given back first.
    """
    give_back_lost()
    day, rows, limits = datetime.now(UTC).date(), _rows(spender), _limits()
    if not Spending.objects.filter(scope="installation", day=day).exists():
        Spending.objects.filter(day__lt=day - timedelta(days=KEPT_DAYS)).delete()
    Spending.objects.bulk_create(
        [Spending(scope=scope, key=key, day=day) for scope, key in rows], ignore_conflicts=True
    )
    try:
        with transaction.atomic():
            for scope, key in rows:
                calls, most = limits[scope]
                room = Q(scope=scope, key=key, day=day)
                if calls:
                    room &= Q(calls__lt=calls)
                if most:
                    room &= Q(tokens__lte=most - tokens)
                if not Spending.objects.filter(room).update(calls=F("calls") + 1, tokens=F("tokens") + tokens):
                    raise _Refused
            # All models together answer within the total, and a lease is time enough to settle.
            lasts = settings.SEANCE.spirit_total_seconds + settings.SEANCE.spirit_lease_seconds
            return Reservation.objects.create(
                **spender._asdict(), day=day, tokens=tokens, expires_at=Now() + timedelta(seconds=lasts)
            )
    except _Refused:
        return None


def give_back_lost() -> int:
    """Give back what nobody settled in time, since its process died or hangs; returns how many calls."""
    lost = list(Reservation.objects.filter(expires_at__lt=Now()))
    for reserved in lost:
        settle(reserved, None, was_called=False)
    return len(lost)


@transaction.atomic
def settle(reserved: Reservation, used: Usage | None, *, was_called: bool) -> None:
    """Put what was truly used in the place of what was set aside; a call that was not made costs nothing.

    Where the provider did not say what it used, what was set aside counts. Exact in whatever order: what was given
    back as lost, and is settled after all, is counted then.
    """
    spent = used.prompt_tokens + used.completion_tokens if used else reserved.tokens if was_called else 0
    is_open, _ = Reservation.objects.filter(pk=reserved.pk).delete()
    for scope, key in _rows(Spender(reserved.session_id, reserved.user_id, reserved.provider)):
        Spending.objects.filter(scope=scope, key=key, day=reserved.day).update(
            calls=Greatest(F("calls") + (was_called - is_open), 0),
            tokens=Greatest(F("tokens") + (spent - reserved.tokens * is_open), 0),
            cost_microcents=F("cost_microcents") + (used.cost_microcents if used else 0),
        )
