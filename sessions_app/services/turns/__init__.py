"""sessions_app, writes: the spirit's turns: the queue, the claim, the ends; beside them places and the circle."""

from sessions_app.services.turns.circle import may_ask, pass_over
from sessions_app.services.turns.claiming import MAX_LOST, Claim, Later, claim, expire_waiting, extend, lease_seconds
from sessions_app.services.turns.ending import (
    Cost,
    answer,
    begin_moves,
    cancel_in_empty_rooms,
    cancel_question,
    fail,
    release,
    unhear_message,
    unhear_person,
    withdraw,
)
from sessions_app.services.turns.places import MAX_WAITING, OPEN_STATES, WAKE, tell_places
from sessions_app.services.turns.queueing import Asked, ask, ask_again, is_question, names_spirit, sessions_with_turns

__all__ = [
    "MAX_LOST",
    "MAX_WAITING",
    "OPEN_STATES",
    "WAKE",
    "Asked",
    "Claim",
    "Cost",
    "Later",
    "answer",
    "ask",
    "ask_again",
    "begin_moves",
    "cancel_in_empty_rooms",
    "cancel_question",
    "claim",
    "expire_waiting",
    "extend",
    "fail",
    "is_question",
    "lease_seconds",
    "may_ask",
    "names_spirit",
    "pass_over",
    "release",
    "sessions_with_turns",
    "tell_places",
    "unhear_message",
    "unhear_person",
    "withdraw",
]
