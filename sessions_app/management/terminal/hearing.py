"""sessions_app, the terminal client: what the client knows of the session, and what each event adds to it.

The log comes in the order of `seq`, each entry once: what was heard before is dropped here. Everything else is state,
which the next whole set heals.
"""

from typing import Any

from sessions_app.management.terminal import happenings
from sessions_app.management.terminal.happenings import Answered, Happening, Said, Told
from sessions_app.management.terminal.outbox import Outbox
from sessions_app.management.terminal.reading import Data, message, names, safety_text, seconds

END = "end"  # the ref of our `end_session`


class Hearing:
    """The position in the log, the people, and which of our questions are open."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.epoch: str | None = None
        self.last_seq = 0
        self.my_id: str | None = None
        self.session: Data = {}
        self.people: dict[str, str] = {}
        self.recent_data: list[Data] = []
        self.refusal: Data | None = None
        self.is_ending = False
        self.reconnect_after_ms: int | None = None
        self._head = 0
        self._clock = 0.0  # server's seconds since 1970, less our clock
        self._asked: set[str] = set()
        self._settled: set[str] = set()

    @property
    def expects_answer(self) -> bool:
        """Whether one of our messages may still be answered by the spirit."""
        return bool(self._asked - self._settled)

    def welcome(self, data: Data, now: float, *, again: bool) -> list[Happening]:
        """The whole state. On a resumed connection the position stays where it was: the missed events follow."""
        self.session, self.my_id = data["session"], data["participant"]["user_id"]
        self.people = {one["user_id"]: one["name"] for one in data["participants"] if one["left_at"] is None}
        self._clock = seconds(data["server_time"]) - now
        self.epoch, self._head, self.recent_data = data["epoch"], data["seq"], list(data["recent"])
        self.reconnect_after_ms = None
        recent: tuple[Said | Answered, ...] = ()
        if not again:
            self.last_seq = data["seq"]
            recent = tuple(message(one, my_id=self.my_id) for one in self.recent_data)
        others = names(self.people, self.my_id)
        found: list[Happening] = [
            happenings.Welcomed(self.session["name"], data["participant"]["name"], others, recent, again)
        ]
        if turn := data["spirit"]["turn"]:
            found.append(happenings.Thinking(turn["turn_id"], turn["asker"]["name"]))
        return found

    def start_over(self) -> list[Happening]:
        """The log is another one: what `welcome` brought is all there is."""
        self.last_seq = 0
        return self.history(self.recent_data)

    def history(self, messages: list[Data] | list[dict[str, Any]]) -> list[Happening]:
        """Messages that were read instead of resumed; the position is then that of `welcome`."""
        found: list[Happening] = []
        for data in messages:
            if data["seq"] > self.last_seq:
                self.last_seq = data["seq"]
                self._settle(data.get("in_reply_to"))
                found.append(message(data, my_id=self.my_id))
        self.last_seq = max(self.last_seq, self._head)
        return found

    def heard(self, event: str, data: Data, seq: int | None, ref: str | None, now: float) -> list[Happening]:
        """One event; an unknown one is nothing."""
        if seq is not None:
            if seq <= self.last_seq:
                return []
            self.last_seq = seq
        found = self._of_the_log(event, data) or self._of_the_room(event, data) or self._of_ours(event, data, ref, now)
        return [found] if found else []

    def _of_the_log(self, event: str, data: Data) -> Happening | None:
        match event:
            case "message_received":
                return message(data, my_id=self.my_id)
            case "spirit_response":
                self._settle(data.get("in_reply_to"))
                return message(data, my_id=self.my_id)
            case "message_deleted":
                self._settle(data["message_id"])
                return Told("A message was taken away.")
            case "spirit_cancelled":
                self._settle(data["message_id"])
                return happenings.Unanswered(data["turn_id"], "the question was withdrawn")
            case "spirit_failed":
                self._settle(data["message_id"])
                return happenings.Unanswered(data["turn_id"], f"the spirit could not answer ({data['code']})")
            case "session_updated":
                self.session = data["session"]
                return Told(f"The session was changed: {self.session['name']}, {self.session['max_users']} seats.")
            case "session_ended":
                self.session, self.is_ending = data["session"], False
                return happenings.Ended()
        return None

    def _of_the_room(self, event: str, data: Data) -> Happening | None:
        match event:
            case "user_joined":
                is_new = data["id"] not in self.people and data["id"] != self.my_id
                self.people[data["id"]] = data["name"]
                return happenings.Came(data["name"], data["role"]) if is_new else None
            case "user_left":
                self.people.pop(data["id"], None)
                return None if data["id"] == self.my_id else happenings.Left(data["name"], data["reason"])
            case "user_typing":
                return happenings.Typing(tuple(one["name"] for one in data["users"] if one["id"] != self.my_id))
            case "question_queued":
                return happenings.Queued(data["asker"]["name"], data["position"])
            case "question_withdrawn":
                return Told("A question was withdrawn.")
            case "spirit_thinking":
                return happenings.Thinking(data["turn_id"], data["asker"]["name"])
            case "spirit_move":
                starts_at = seconds(data["starts_at"]) - self._clock
                return happenings.Moved(data["turn_id"], starts_at, tuple(data["moves"]))
        return None

    def _of_ours(self, event: str, data: Data, ref: str | None, now: float) -> Happening | None:
        match event:
            case "ack":
                return self._acked(data)
            case "error":
                return self._refused(data, ref, now)
            case "safety_notice":
                self.outbox.settle(ref)
                return Told(safety_text(data), serious=True)
            case "token_expiring":
                return Told(f"The token expires in {round(data['expires_in_ms'] / 1000)} s.")
            case "goodbye":
                self.reconnect_after_ms = data["reconnect_after_ms"]
                return Told("The server goes away for a moment.")
            case "heartbeat":
                self._clock = seconds(data["server_time"]) - now
        return None

    def _acked(self, data: Data) -> Happening | None:
        if not self.outbox.settle(data["client_msg_id"]):
            return None
        if self.session["spirit"]["mode"] != "off":
            self._asked.add(data["id"])
        return happenings.Acked(data["seq"])

    def _refused(self, data: Data, ref: str | None, now: float) -> Happening:
        if not self.outbox.is_ours(ref):
            self.is_ending = self.is_ending and ref != END
            return Told(data["message"], serious=True)
        if data.get("retryable"):
            self.outbox.postpone(now, data.get("retry_after_ms"))
            return Told(f"{data['message']} Trying again.")
        self.outbox.settle(ref)
        return Told(f"Not sent: {data['message']}", serious=True)

    def _settle(self, message_id: str | None) -> None:
        if message_id is not None:
            self._settled.add(message_id)
