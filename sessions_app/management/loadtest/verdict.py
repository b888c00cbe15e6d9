"""sessions_app, the load test: the judge. Was every acknowledged message stored once, and heard by all in one order?"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Verdict(NamedTuple):
    """How often the promise was broken."""

    lost: int
    doubled: int
    reordered: int

    @property
    def holds(self) -> bool:
        return not any(self)


@dataclass
class Heard:
    """What one person was given without a break, as numbers of the log: everything after `after`, in this order."""

    after: int
    numbers: list[int] = field(default_factory=list)


class Said(NamedTuple):
    """A message as the history has it."""

    seq: int
    client_msg_id: str


def judge(stored: Iterable[Said], acked: Mapping[str, int], people: Iterable[list[Heard]]) -> Verdict:
    """One room: what is stored, which id was acknowledged as which number, and what each person heard.

    Where a person had to begin anew, only the last stretch must reach the end.
    """
    places: dict[str, list[int]] = {}
    for message in stored:
        places.setdefault(message.client_msg_id, []).append(message.seq)
    lost = sum(number not in places.get(key, ()) for key, number in acked.items())
    doubled = sum(len(numbers) - 1 for numbers in places.values())
    reordered = 0
    log = sorted(number for numbers in places.values() for number in numbers)
    for stretches in people:
        for heard in stretches:
            is_last = heard is stretches[-1]
            upto = log[-1] if is_last and log else max(heard.numbers, default=heard.after)
            had = Counter(heard.numbers)
            lost += sum(heard.after < number <= upto and number not in had for number in log)
            doubled += sum(times - 1 for times in had.values())
            reordered += _reordered(heard)
    return Verdict(lost, doubled, reordered)


def _reordered(heard: Heard) -> int:
    """How many came for the first time after one that follows them."""
    count, highest, had = 0, heard.after, set[int]()
    for number in heard.numbers:
        count += number < highest and number not in had
        had.add(number)
        highest = max(highest, number)
    return count


def together(several: Iterable[Verdict]) -> Verdict:
    """The sum of all rooms."""
    found = list(several)
    return Verdict(*(sum(one[at] for one in found) for at in range(3)))
