"""The steps of returns: announced or brought to a counter, received, judged, and put away or given back."""

from .announcing import Wanted, announce, announce_by_customer, open_announced, open_at
from .ending import await_again, cancel, finish, pause, start, wait_for_input
from .finding import announced_with, find, of_slip
from .goods import accept, receive, reject, take_out
from .jobs import allow, finish_job, on_handed_over, on_handover_reverted, restart_job, start_job
from .refusals import (
    NothingReceived,
    NothingWanted,
    NotInThisReturn,
    NotReturnable,
    ReturnedAlready,
    ReturnEnded,
    ReturnNeedsHandover,
    ReturnsClosed,
    ReturnsUnderWay,
    SomethingReceived,
    TooManyItems,
    TooManyReturned,
    Undecided,
)

__all__ = [
    "NotInThisReturn",
    "NotReturnable",
    "NothingReceived",
    "NothingWanted",
    "ReturnEnded",
    "ReturnNeedsHandover",
    "ReturnedAlready",
    "ReturnsClosed",
    "ReturnsUnderWay",
    "SomethingReceived",
    "TooManyItems",
    "TooManyReturned",
    "Undecided",
    "Wanted",
    "accept",
    "allow",
    "announce",
    "announce_by_customer",
    "announced_with",
    "await_again",
    "cancel",
    "find",
    "finish",
    "finish_job",
    "of_slip",
    "on_handed_over",
    "on_handover_reverted",
    "open_announced",
    "open_at",
    "pause",
    "receive",
    "reject",
    "restart_job",
    "start",
    "start_job",
    "take_out",
    "wait_for_input",
]
