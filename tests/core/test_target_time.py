import datetime
import zoneinfo

import pytest

from fulfillment.core.target_time import ready_time, target_time

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
WORKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]
HOURS = {day: [{"start": "09:00", "end": "18:00"}] for day in WORKDAYS}
CUT_OFF = dict.fromkeys(WORKDAYS, "16:00")


def local(day, clock):
    """A moment of March 2026 in Berlin; the 2nd is a Monday."""
    return datetime.datetime.combine(datetime.date(2026, 3, day), datetime.time.fromisoformat(clock), BERLIN)


def target(now, *, hours=HOURS, closed=(), buffer=120, cutoffs=(CUT_OFF,)):
    return target_time(
        now,
        tz=BERLIN,
        picking_times=hours,
        closed_on=lambda day: day in closed,
        buffer=buffer,
        cutoffs=cutoffs,
    )


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (local(2, "13:30"), local(2, "16:00")),
        (local(2, "14:00"), local(2, "16:00")),
        (local(2, "14:30"), local(3, "16:00")),
        (local(6, "17:00"), local(9, "16:00")),
        (local(7, "12:00"), local(9, "16:00")),
        (local(2, "05:00"), local(2, "16:00")),
    ],
)
def test_first_cut_off_after_the_buffer(now, expected):
    assert target(now) == expected


def test_closing_day_counts_for_neither_work_nor_pick_up():
    assert target(local(2, "17:00"), closed=[datetime.date(2026, 3, 3)]) == local(4, "16:00")


def test_earliest_of_several_carriers_counts():
    assert target(local(2, "09:00"), cutoffs=[CUT_OFF, {"MONDAY": "12:00"}]) == local(2, "12:00")


def test_cut_off_of_a_date_goes_before_that_of_its_weekday():
    special = {**CUT_OFF, "2026-03-02": "15:00", "2026-03-03": None}

    assert target(local(2, "09:00"), cutoffs=[special]) == local(2, "15:00")
    assert target(local(2, "13:30"), cutoffs=[special]) == local(4, "16:00")


def test_no_cut_off_gives_no_target():
    assert target(local(2, "09:00"), cutoffs=[]) is None


def test_facility_that_never_opens_gives_no_target():
    assert target(local(2, "09:00"), hours={}) is None


def test_summer_time_moves_with_the_clock_on_the_wall():
    # On 29 March 2026 the clock jumps an hour; the next cut-off is still 16:00 there.
    assert target(local(27, "17:30")) == local(30, "16:00")


@pytest.mark.parametrize(
    ("day", "ends"),
    [
        (datetime.date(2026, 3, 29), datetime.time(5)),  # the hour from 2 to 3 is not there
        (datetime.date(2026, 10, 25), datetime.time(3)),  # and here it is there twice
        (datetime.date(2026, 6, 7), datetime.time(4)),
    ],
)
def test_work_takes_as_long_on_a_day_on_which_the_clock_is_changed(day, ends):
    hours = {"SUNDAY": [{"start": "00:00", "end": "08:00"}]}
    midnight = datetime.datetime.combine(day, datetime.time(), BERLIN)

    ready = ready_time(midnight, tz=BERLIN, picking_times=hours, closed_on=lambda day: False, buffer=240)

    assert ready - midnight.astimezone(datetime.UTC) == datetime.timedelta(hours=4)
    assert ready.astimezone(BERLIN).time() == ends


def test_cut_off_in_the_hour_that_is_not_there_is_the_same_moment_later():
    cutoffs = [{"SUNDAY": "02:30"}]
    hours = {day: [{"start": "00:00", "end": "23:59"}] for day in ("SATURDAY", "SUNDAY")}
    now = datetime.datetime(2026, 3, 28, 12, tzinfo=datetime.UTC)

    found = target_time(
        now, tz=BERLIN, picking_times=hours, closed_on=lambda day: False, buffer=60, cutoffs=cutoffs
    )

    assert found.astimezone(BERLIN) == datetime.datetime(2026, 3, 29, 3, 30, tzinfo=BERLIN)
