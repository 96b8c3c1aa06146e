"""When a job should be ready: pure, from opening hours, closing days and the carriers' cut-offs.

The buffer counts inside picking times only. The target is the first cut-off at or after the buffer has run out.
"""

import datetime

WEEKDAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
LOOK_AHEAD = 60  # days


def ready_time(now, *, tz, picking_times, closed_on, buffer):
    """When ``buffer`` minutes of work are done, or None when the facility is not open for so long.

    Args:
        now: aware datetime; tz: the facility's time zone.
        picking_times: ``{"MONDAY": [{"start": "09:00", "end": "17:00"}]}``.
        closed_on: tells whether a local date is a closing day.
        buffer: minutes.
    """
    left = datetime.timedelta(minutes=buffer)
    for start, end in _spans(now, tz, picking_times, closed_on):
        begin = max(start, now)
        if begin >= end:
            continue
        if begin + left <= end:
            return begin + left
        left -= end - begin
    return None


def target_time(now, *, tz, picking_times, closed_on, buffer, cutoffs):
    """The first cut-off that can be met, or None without cut-offs.

    Args:
        cutoffs: one per carrier, see ``cutoff_on``.
    """
    ready = ready_time(now, tz=tz, picking_times=picking_times, closed_on=closed_on, buffer=buffer)
    if ready is None:
        return None
    for day in _days(ready, tz):
        if closed_on(day):
            continue
        times = [_at(day, clock, tz) for one in cutoffs if (clock := cutoff_on(one, day))]
        met = [time for time in times if time >= ready]
        if met:
            return min(met)
    return None


def cutoff_on(cutoffs, day):
    """``"16:00"`` when a carrier comes on a day, else None.

    Args:
        cutoffs: ``{"MONDAY": "16:00", "2026-12-24": "12:00", "2026-12-25": None}``; a date goes before its weekday.
    """
    return cutoffs.get(day.isoformat(), cutoffs.get(WEEKDAYS[day.weekday()]))


def _days(moment, tz):
    first = moment.astimezone(tz).date()
    return (first + datetime.timedelta(days=offset) for offset in range(LOOK_AHEAD))


def _at(day, clock, tz):
    return datetime.datetime.combine(day, datetime.time.fromisoformat(clock), tz).astimezone(datetime.UTC)


def _spans(now, tz, picking_times, closed_on):
    for day in _days(now, tz):
        if closed_on(day):
            continue
        for span in sorted(picking_times.get(WEEKDAYS[day.weekday()], []), key=lambda span: span["start"]):
            yield _at(day, span["start"], tz), _at(day, span["end"], tz)
