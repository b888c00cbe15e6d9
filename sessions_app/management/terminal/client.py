"""sessions_app, the terminal client: the protocol, sans I/O. Text frames in, happenings out; acts in, text frames out.

Whoever owns the socket calls `opened`, `received` and `lost`, and sends what `outgoing` returns. All times are seconds
on one clock of the caller's, which need not be the time of day. Source: docs/protocol.md, section 2.
"""

import uuid
from typing import Any, Literal

import msgspec

from sessions_app.management.terminal.happenings import Happening, Missed, Told
from sessions_app.management.terminal.hearing import END, Hearing
from sessions_app.management.terminal.outbox import Outbox

TYPING_EVERY = 3.0

Phase = Literal["away", "joining", "replaying", "catching_up", "in"]


class Client:
    """One person in one session, over as many connections as it takes."""

    def __init__(self, *, name: str | None = None, token: str | None = None, observer: bool = False) -> None:
        self._identity: dict[str, Any] = {"name": name} if name else {}
        # A guest's own id is a secret: whoever has it is this guest, also on the next connection.
        self._identity |= {"token": token} if token else {"user_id": uuid.uuid4().hex}
        if observer:
            self._identity["role"] = "observer"
        self.phase: Phase = "away"
        self.outbox = Outbox()
        self.hearing = Hearing(self.outbox)
        self.heartbeat_seconds = 15.0
        self._frames: list[str] = []
        self._held: list[dict[str, Any]] = []
        self._typing_since: float | None = None
        self._beat_at: float | None = None

    def opened(self, now: float) -> None:
        """A socket is open: join, and resume where we stopped."""
        data = dict(self._identity)
        if self.hearing.epoch is not None:
            data["resume"] = {"epoch": self.hearing.epoch, "after_seq": self.hearing.last_seq}
        self.phase, self._frames, self._held = "joining", [], []
        self.hearing.refusal = None
        self._put("join_session", data)
        self._beat_at = None

    def lost(self) -> None:
        """The socket is gone."""
        self.phase, self._typing_since, self._frames = "away", None, []
        self.outbox.connection_lost()

    def received(self, text: str | bytes, now: float) -> list[Happening]:
        """One frame of the server's. What is not understood is ignored, as the protocol wants it."""
        try:
            frame = msgspec.json.decode(text)
            return self._received(frame, now) if isinstance(frame, dict) else []
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
            return [Told("The server sent a frame that this client does not understand.", serious=True)]

    def _received(self, frame: dict[str, Any], now: float) -> list[Happening]:
        event, data = frame["event"], frame["data"]
        if event == "welcome":
            resuming = self.hearing.epoch is not None
            self.phase = "replaying" if resuming else "in"
            self.heartbeat_seconds = data["heartbeat_ms"] / 1000
            self._beat_at = now + self.heartbeat_seconds
            return self.hearing.welcome(data, now, again=resuming)
        if event == "resumed":
            self.phase = "in"
            self.hearing.last_seq = max(self.hearing.last_seq, data["to"])
            return []
        if event == "resync_required":
            return self._resync(data["reason"])
        if self.phase == "catching_up" and "seq" in frame:
            self._held.append(frame)
            return []
        if self.phase == "joining":
            # A refusal is followed by a close; whoever joins is told who is there by `welcome`.
            self.hearing.refusal = data if event == "error" else self.hearing.refusal
            return []
        return self.hearing.heard(event, data, frame.get("seq"), frame.get("ref"), now)

    def _resync(self, reason: str) -> list[Happening]:
        if reason == "too_far_behind":
            self.phase = "catching_up"
            return [Missed(self.hearing.last_seq)]
        self.phase = "in"
        return [Told("The session's log was restored; this is what it has now."), *self.hearing.start_over()]

    def caught_up(self, messages: list[dict[str, Any]] | None, now: float) -> list[Happening]:
        """The history after `Missed.after_seq`, or None where it could not be read; then what was held meanwhile."""
        found: list[Happening] = []
        if messages is None:
            found += [Told("The history could not be read: some messages are missing here.", serious=True)]
        found += self.hearing.history(self.hearing.recent_data if messages is None else messages)
        self.phase, held, self._held = "in", self._held, []
        for frame in held:
            found += self._received(frame, now)
        return found

    def say(self, text: str) -> None:
        """Send a message, now or when it can be sent."""
        self.outbox.add(text)
        self._typing_since = None

    def types(self, now: float, *, is_typing: bool = True) -> None:
        """A key was pressed, or the line was emptied; the room is told at most every few seconds."""
        if self.phase != "in" or (not is_typing and self._typing_since is None):
            return
        if not is_typing or self._typing_since is None or now - self._typing_since >= TYPING_EVERY:
            self._put("typing", {"is_typing": is_typing})
            self._typing_since = now if is_typing else None

    def end(self) -> None:
        """End the session for everybody."""
        self.hearing.is_ending = True
        self._put("end_session", {}, ref=END)

    def leave(self) -> None:
        """Give the seat back."""
        if self.phase != "away":
            self._put("leave_session", {})

    def outgoing(self, now: float) -> list[str]:
        """Every frame that is to be sent now, in order."""
        if self.phase == "in":
            while (draft := self.outbox.take(now)) is not None:
                data = {"text": draft.text, "client_msg_id": draft.client_msg_id}
                self._put("send_message", data, ref=draft.client_msg_id)
            if self._beat_at is not None and now >= self._beat_at:
                self._put("heartbeat", {"last_seq": self.hearing.last_seq}, ref="beat")
                self._beat_at = now + self.heartbeat_seconds
        frames, self._frames = self._frames, []
        return frames

    def due(self) -> float | None:
        """When `outgoing` will next have something, if nothing else happens."""
        if self.phase != "in":
            return None
        return min((at for at in (self.outbox.due(), self._beat_at) if at is not None), default=None)

    def _put(self, event: str, data: dict[str, Any], *, ref: str | None = None) -> None:
        frame = {"event": event, "data": data} | ({"ref": ref} if ref else {})
        self._frames.append(msgspec.json.encode(frame).decode())
