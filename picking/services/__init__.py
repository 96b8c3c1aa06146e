"""The steps of picking: a routed part becomes a pick job, is picked, and closed; then its stock is gone.

Lines change only under their job's lock (see ``picking.scans``); steps that change the status lock the order first.
"""

from .ending import (
    AlreadyPicked,
    LinesPending,
    abort,
    cancel,
    close,
    finish_off,
    make_obsolete,
    reset,
    restart,
)
from .lines import COUNTED, Count, TooManyPicked, set_count, telling_of_line
from .locks import (
    InARun,
    NotStarted,
    PickedBySomeoneElse,
    check_alone,
    check_picker,
    lock_for_status,
    raise_version,
)
from .merges import NotToBeMerged, merge
from .reactions import (
    PickingBegun,
    on_order_cancelled,
    on_order_modified,
    on_plan_cancelled,
    on_plan_replaced,
    reroute_idle,
)
from .splits import NotToBeSplit, Split, SplitTooLate, split, split_line
from .work import (
    JobHeld,
    NotOnThisJob,
    assign,
    begin,
    book,
    finish,
    modify,
    pause,
    put_aside,
    record,
    start,
    take_over,
)

__all__ = [
    "COUNTED",
    "AlreadyPicked",
    "Count",
    "InARun",
    "JobHeld",
    "LinesPending",
    "NotOnThisJob",
    "NotStarted",
    "NotToBeMerged",
    "NotToBeSplit",
    "PickedBySomeoneElse",
    "PickingBegun",
    "Split",
    "SplitTooLate",
    "TooManyPicked",
    "abort",
    "assign",
    "begin",
    "book",
    "cancel",
    "check_alone",
    "check_picker",
    "close",
    "finish",
    "finish_off",
    "lock_for_status",
    "make_obsolete",
    "merge",
    "modify",
    "on_order_cancelled",
    "on_order_modified",
    "on_plan_cancelled",
    "on_plan_replaced",
    "pause",
    "put_aside",
    "raise_version",
    "record",
    "reroute_idle",
    "reset",
    "restart",
    "set_count",
    "split",
    "split_line",
    "start",
    "take_over",
    "telling_of_line",
]
