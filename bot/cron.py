"""Times in the five fields of cron, always in UTC, so that no day has an hour twice or never."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# What each field may hold: its name, its bounds, its words.
FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("weekday", 0, 7, WEEKDAYS),
)
LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
PART = re.compile(r"^(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d?))?$", re.ASCII)
# The longest time between two 29ths of February is eight years (1896 to 1904, 2096 to 2104).
SEARCHED_DAYS = 366 * 8 + 1


@dataclass(frozen=True, slots=True)
class Cron:
    """When something is due; weekdays count from 0, a Sunday, to 6."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def latest(self, moment: datetime) -> datetime:
        """The last time it was due, `moment` included."""
        return next(time for time in self._times(moment, -1) if time <= moment)

    def following(self, moment: datetime) -> datetime:
        """The first time it is due after `moment`."""
        return next(time for time in self._times(moment, 1) if time > moment)

    def _times(self, moment: datetime, step: int) -> Iterator[datetime]:
        """The times of the days from that of `moment` on, onwards or backwards."""
        today = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        for number in range(SEARCHED_DAYS):
            day = today + timedelta(days=step * number)
            if (
                day.day in self.days
                and day.month in self.months
                and day.isoweekday() % 7 in self.weekdays
            ):
                for hour in self.hours[::step]:
                    for minute in self.minutes[::step]:
                        yield day.replace(hour=hour, minute=minute)


def read_cron(text: str) -> Cron:
    """The times that `text` names, such as "30 3 * * mon-fri".

    Raises:
        ValueError: it is not of this form, or such a day does not exist; the message says what.
    """
    parts = text.split()
    if len(parts) != len(FIELDS):
        raise ValueError(
            f"has {len(parts)} fields, not 5. Write minute, hour, day of the month, month and "
            'weekday, such as "0 3 * * *" for 03:00 UTC every day'
        )
    minutes, hours, days, months, weekdays = (
        _read_field(part, *field) for part, field in zip(parts, FIELDS, strict=True)
    )
    if parts[2] != "*" and parts[4] != "*":
        raise ValueError("names days of the month and weekdays. Write * for one of the two")
    if min(days) > max(LONGEST_MONTH[month - 1] for month in months):
        raise ValueError("names a day that no such month has. Write another day or month")
    return Cron(minutes, hours, days, months, tuple(sorted({day % 7 for day in weekdays})))


def _read_field(
    text: str, name: str, lowest: int, highest: int, words: tuple[str, ...]
) -> tuple[int, ...]:
    numbers: set[int] = set()
    for part in text.lower().split(","):
        match = PART.match(part)
        if not match:
            raise _wrong(text, name, lowest, highest)
        first, last, step = match.groups()
        try:
            start = _number(first, lowest, words) if first else lowest
            alone = start if first and not step else highest
            end = _number(last, lowest, words) if last else alone
        except ValueError:
            raise _wrong(text, name, lowest, highest) from None
        if not lowest <= start <= end <= highest:
            raise _wrong(text, name, lowest, highest)
        numbers.update(range(start, end + 1, int(step or 1)))
    return tuple(sorted(numbers))


def _number(text: str, lowest: int, words: tuple[str, ...]) -> int:
    return words.index(text) + lowest if text in words else int(text)


def _wrong(text: str, name: str, lowest: int, highest: int) -> ValueError:
    return ValueError(
        f"has the {name} {text!r:.40}. Write *, or numbers from {lowest} to {highest} such as "
        f'"{lowest}", "{lowest},{highest}", "{lowest}-{highest}" or "*/{max(2, highest // 6)}"'
    )
