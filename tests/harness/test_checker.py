"""Tests of the whole: the checker must catch every doctored log, and nothing in an honest one."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest

from tests.harness.checker import Broken, check, problems
from tests.harness.records import Acked, Log, Receipt, Sent, Stored, StoredLog, Stream

pytestmark = pytest.mark.once

Case = tuple[StoredLog, list[Log]]


def honest() -> Case:
    """Two people say three things each; the fourth is deleted again; one of them came after the first two."""
    rows = []
    logs = [Log(name, user_id=name, streams=[Stream("e", after)]) for name, after in (("ada", 0), ("bo", 2))]
    for seq in range(1, 7):
        author = logs[seq % 2]
        key, text, row_id = f"{author.name}-{seq}", f"word {seq}", f"id-{seq}"
        rows.append(Stored(seq, "message_received", row_id, key, text, author.user_id, is_deleted=seq == 4))
        author.sends.append(Sent(seq, key, text))
        author.acks.append(Acked(seq, row_id, seq, key, duplicate=False))
        for log in logs:
            if seq > log.streams[0].after and not (seq == 4 and log.name == "bo"):
                log.streams[0].receipts.append(Receipt(seq, seq, "message_received", row_id, key, text))
    rows.append(Stored(7, "message_deleted", ""))
    for log in logs:
        log.streams[0].receipts.append(Receipt(7, 7, "message_deleted"))
    return StoredLog("e", 7, rows), logs


def test_an_honest_log_passes() -> None:
    stored, logs = honest()

    assert problems(stored, logs) == []


def a_lost_row(stored: StoredLog, logs: list[Log]) -> None:
    del stored.rows[4]


def a_hole_that_nobody_saw(stored: StoredLog, logs: list[Log]) -> None:
    del stored.rows[4]
    for log in logs:
        log.streams[0].receipts = [receipt for receipt in log.streams[0].receipts if receipt.seq != 5]
        log.acks = [ack for ack in log.acks if ack.seq != 5]
        log.sends = [sent for sent in log.sends if not sent.client_msg_id.endswith("-5")]


def a_lost_last_row(stored: StoredLog, logs: list[Log]) -> None:
    del stored.rows[-1]
    for log in logs:
        del log.streams[0].receipts[-1]


def a_row_stored_twice(stored: StoredLog, logs: list[Log]) -> None:
    stored.rows[4] = stored.rows[4]._replace(id=stored.rows[2].id)


def a_message_stored_twice(stored: StoredLog, logs: list[Log]) -> None:
    stored.rows[4] = stored.rows[4]._replace(client_msg_id=stored.rows[2].client_msg_id)


def a_doubled_number(stored: StoredLog, logs: list[Log]) -> None:
    stored.rows[5] = stored.rows[5]._replace(seq=5)


def a_phantom_ack(stored: StoredLog, logs: list[Log]) -> None:
    logs[0].sends.append(Sent(9, "ada-9", "lost"))
    logs[0].acks.append(Acked(9, "id-9", 8, "ada-9", duplicate=False))


def an_ack_of_somebody_elses(stored: StoredLog, logs: list[Log]) -> None:
    logs[0].acks[0] = logs[0].acks[0]._replace(id="id-5")


def an_ack_with_the_wrong_number(stored: StoredLog, logs: list[Log]) -> None:
    logs[0].acks[0] = logs[0].acks[0]._replace(seq=5)


def an_ack_at_two_places(stored: StoredLog, logs: list[Log]) -> None:
    logs[0].acks.append(logs[0].acks[0]._replace(seq=5, id="id-5"))


def another_text(stored: StoredLog, logs: list[Log]) -> None:
    logs[0].sends[0] = logs[0].sends[0]._replace(text="something else")


def a_loss(stored: StoredLog, logs: list[Log]) -> None:
    del logs[0].streams[0].receipts[2]


def a_loss_right_after_the_join(stored: StoredLog, logs: list[Log]) -> None:
    del logs[1].streams[0].receipts[0]


def a_loss_at_the_end(stored: StoredLog, logs: list[Log]) -> None:
    del logs[0].streams[0].receipts[-1]


def a_double(stored: StoredLog, logs: list[Log]) -> None:
    receipts = logs[0].streams[0].receipts
    receipts.insert(3, receipts[2])


def a_late_double(stored: StoredLog, logs: list[Log]) -> None:
    receipts = logs[0].streams[0].receipts
    receipts.append(receipts[2])


def a_swap(stored: StoredLog, logs: list[Log]) -> None:
    receipts = logs[0].streams[0].receipts
    receipts[1], receipts[2] = receipts[2], receipts[1]


def a_swap_with_good_numbers(stored: StoredLog, logs: list[Log]) -> None:
    receipts = logs[0].streams[0].receipts
    one, two = receipts[1], receipts[2]
    receipts[1], receipts[2] = two._replace(seq=one.seq), one._replace(seq=two.seq)


def a_phantom_event(stored: StoredLog, logs: list[Log]) -> None:
    logs[0].streams[0].receipts.append(Receipt(9, 8, "message_received", "id-8", "x", "never stored"))


def an_event_before_the_first(stored: StoredLog, logs: list[Log]) -> None:
    logs[1].streams[0].receipts.insert(0, logs[0].streams[0].receipts[1])


def a_stream_that_goes_back(stored: StoredLog, logs: list[Log]) -> None:
    logs[0].streams.append(Stream("e", 3, logs[0].streams[0].receipts[3:]))


def words_put_into_a_mouth(stored: StoredLog, logs: list[Log]) -> None:
    del logs[0].sends[0], logs[0].acks[0]


def something_strange(stored: StoredLog, logs: list[Log]) -> None:
    logs[0].strange.append("an event came before the welcome")


@pytest.mark.parametrize(
    "doctor",
    [
        a_lost_row,
        a_hole_that_nobody_saw,
        a_lost_last_row,
        a_row_stored_twice,
        a_message_stored_twice,
        a_doubled_number,
        a_phantom_ack,
        an_ack_of_somebody_elses,
        an_ack_with_the_wrong_number,
        an_ack_at_two_places,
        another_text,
        a_loss,
        a_loss_right_after_the_join,
        a_loss_at_the_end,
        a_double,
        a_late_double,
        a_swap,
        a_swap_with_good_numbers,
        a_phantom_event,
        an_event_before_the_first,
        a_stream_that_goes_back,
        words_put_into_a_mouth,
        something_strange,
    ],
)
def test_a_doctored_log_is_caught(doctor: Callable[[StoredLog, list[Log]], None]) -> None:
    stored, logs = deepcopy(honest())

    doctor(stored, logs)

    with pytest.raises(Broken):
        check(stored, logs)


def test_a_client_that_left_early_need_not_have_seen_the_end() -> None:
    stored, logs = honest()

    del logs[0].streams[0].receipts[-1]

    assert problems(stored, logs, complete=False) == []
