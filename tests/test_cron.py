"""The five fields of cron, against the trigger of the clock, and across daylight saving."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cron import Cron, read_cron
from ingest.schedule import trigger
from tests.settings_files import load, problem

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2031, 12, 31), timezones=st.just(UTC))
FIELDS = st.tuples(
    st.sampled_from(["*", "0", "*/7", "5-20/5", "59"]),
    st.sampled_from(["*", "3", "0,12", "22-23"]),
    st.sampled_from(["*", "1", "31", "10-12"]),
    st.sampled_from(["*", "1", "jan-mar", "*/5"]),
)
WEEKDAYS = st.sampled_from(["*", "0", "7", "sun", "1-5", "fri,sat", "5-7"])


@given(FIELDS, WEEKDAYS, MOMENTS)
def test_the_clock_ticks_when_cron_says(
    fields: tuple[str, str, str, str], weekday: str, moment: datetime
) -> None:
    day = "*" if weekday != "*" else fields[2]
    cron = read_cron(" ".join((*fields[:2], day, fields[3], weekday)))
    following = trigger(cron).get_next_fire_time(None, moment + timedelta(microseconds=1))
    assert following == cron.following(moment)
    assert cron.latest(following) == following
    assert cron.latest(following - timedelta(microseconds=1)) <= moment


@pytest.mark.parametrize(
    ("written", "weekday"), [("0", 6), ("7", 6), ("1", 0), ("sun", 6), ("6", 5), ("sat", 5)]
)
def test_weekdays_count_from_sunday_as_in_a_crontab(written: str, weekday: int) -> None:
    due = read_cron(f"0 3 * * {written}").following(datetime(2026, 5, 6, tzinfo=UTC))
    assert due.weekday() == weekday


@pytest.mark.parametrize("day", [datetime(2026, 3, 28), datetime(2026, 10, 24)])
@pytest.mark.parametrize("written", ["30 1 * * *", "30 0 * * *", "0 3 * * *"])
def test_nothing_is_due_twice_or_never_when_clocks_change(day: datetime, written: str) -> None:
    """Berlin skips 02:00 to 03:00 on the 29th of March and repeats it on the 25th of October."""
    cron, times = read_cron(written), []
    moment = day.replace(tzinfo=ZoneInfo("Europe/Berlin"))
    while len(times) < 4:
        moment = cron.following(moment)
        times.append(moment)
    assert {b - a for a, b in pairwise(times)} == {timedelta(days=1)}


def test_a_leap_day_is_found_eight_years_ahead() -> None:
    cron = read_cron("0 0 29 2 *")
    assert cron.following(datetime(2096, 3, 1, tzinfo=UTC)) == datetime(2104, 2, 29, tzinfo=UTC)
    assert cron.latest(datetime(2104, 2, 28, tzinfo=UTC)) == datetime(2096, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("0 3 * *", "has 4 fields, not 5"),
        ("@daily", "has 1 fields, not 5"),
        ("60 3 * * *", "has the minute '60'. Write *, or numbers from 0 to 59"),
        ("0 24 * * *", "has the hour '24'"),
        ("0 3 0 * *", "has the day of the month '0'"),
        ("0 3 * 13 *", "has the month '13'"),
        ("0 3 * * 8", "has the weekday '8'"),
        ("0 3 * * sat-mon", "has the weekday 'sat-mon'"),
        ("*/0 3 * * *", "has the minute '*/0'"),
        ("1,,2 3 * * *", "has the minute '1,,2'"),
        ("0 3 30 2 *", "names a day that no such month has"),
        ("0 3 1 * mon", "names days of the month and weekdays"),
    ],
)
def test_a_wrong_schedule_is_told_with_its_fix(tmp_path: Path, written: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        read_cron(written)
    line = problem(tmp_path, f'retraining.schedule = "{written}"')
    assert line.startswith(f'supportbot.toml: `retraining.schedule` = "{written}" {told}')
    line = problem(tmp_path, f'[[sources]]\nname = "wiki"\nfolder = "."\nschedule = "{written}"\n')
    assert line.startswith(f'supportbot.toml: `sources[0].schedule` ("wiki") = "{written}" {told}')


def test_an_empty_schedule_means_never(tmp_path: Path) -> None:
    assert load(tmp_path, 'retraining.schedule = ""').retraining.schedule == ""


def test_every_day_at_three_is_read() -> None:
    every = tuple(range(1, 32)), tuple(range(1, 13)), tuple(range(7))
    assert read_cron("0 3 * * *") == Cron((0,), (3,), *every)
