import datetime

from fulfillment.core.models import StatusChange
from fulfillment.core.templatetags.ui import status_name
from fulfillment.overview import queries

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)


def change(entity="shipping.Parcel", action="begin", before="OPEN", after="PROCESSING", seconds=0, **fields):
    at = NOON + datetime.timedelta(seconds=seconds)
    return StatusChange(entity=entity, action=action, before=before, after=after, at=at, **fields)


def test_same_step_of_several_things_is_one_entry():
    changes = [
        *(change(seconds=second) for second in (1, 2, 3)),
        change(after="DONE", seconds=4),
        change(after="DONE", seconds=5, reason="by hand"),
        change(after="DONE", seconds=70, reason="by hand"),
    ]

    found = queries.folded(changes)

    assert [(entry.after, entry.reason, entry.times) for entry in found] == [
        ("PROCESSING", "", 3),
        ("DONE", "", 1),
        ("DONE", "by hand", 1),
        ("DONE", "by hand", 1),
    ]


def test_step_that_leaves_the_status_says_what_was_done():
    assigned = change("picking.PickJob", "assign", "OPEN", "OPEN")
    other = change("picking.PickJob", "odd", "OPEN", "OPEN")
    begun = change("picking.PickJob", "start", "OPEN", "IN_PROGRESS")

    assert [status_name(step) for step in (assigned, other, begun)] == ["Assigned", "Changed", "In progress"]
