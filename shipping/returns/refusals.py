"""What a return refuses."""

from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused


class ReturnsClosed(Refused):
    text = _("No returns of order %(order)s are taken any more: %(status)s.")


class NothingWanted(Refused):
    text = _("Say what comes back.")


class NotReturnable(Refused):
    text = _("%(title)s may not be returned.")


class TooManyReturned(Refused):
    text = _("Only %(left)s of %(title)s can come back.")


class TooManyItems(Refused):
    text = _("One return has at most %(most)s units. Finish this one and open another.")


class NotInThisReturn(Refused):
    text = _("This is not in the return of order %(order)s.")


class ReturnEnded(Refused):
    text = _("The return of order %(order)s is %(status)s.")


class NothingReceived(Refused):
    text = _("Nothing was received yet.")


class Undecided(Refused):
    text = _("Decide about every unit first: %(title)s.")


class SomethingReceived(Refused):
    text = _("Goods of this return were received. Take them out first.")


class ReturnsUnderWay(Refused):
    text = _("Finish or cancel the returns of order %(order)s first.")


class ReturnedAlready(Refused):
    text = _("Units of %(title)s came back already; their handover cannot be taken back.")


class ReturnNeedsHandover(Refused):
    text = _("A return job is made when goods of the order are handed over.")
