"""Why an action of a scan screen changes nothing. The words say what was scanned and what is expected."""

from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused


class ScanRefused(Refused):
    """A refusal whose ``kind`` chooses picture, sound and vibration on the device."""

    kind = "unknown"


class UnknownCode(ScanRefused):
    text = _("Nothing here has the code %(code)s. Nothing is booked.")


class WrongArticle(ScanRefused):
    kind = "wrong_article"
    text = _("This is %(scanned)s. Pick %(expected)s. Nothing is booked.")


class MayReplace(ScanRefused):
    kind = "wrong_article"
    text = _("%(scanned)s may replace %(expected)s: choose it under “Missing” first. Nothing is booked.")


class WrongLocation(ScanRefused):
    kind = "wrong_location"
    text = _("This is %(scanned)s. Go to %(expected)s. Nothing is booked.")


class TooMany(ScanRefused):
    kind = "too_many"
    text = _("Only %(open)s more of %(title)s. Put the rest back.")


class NoSubstitute(ScanRefused):
    text = _("%(sku)s is no substitute for %(title)s here. Nothing is changed.")


class TooFewFree(ScanRefused):
    kind = "too_many"
    text = _("Only %(free)s of %(title)s are free here. Nothing is changed.")


class NotALine(ScanRefused):
    kind = "stale"
    text = _("This line is not part of the job any more. Load the page again.")


class NothingToUndo(ScanRefused):
    text = _("There is nothing to undo.")


class ReasonMissing(ScanRefused):
    text = _("Choose why units are missing.")


class LocationFirst(ScanRefused):
    kind = "wrong_location"
    text = _("Scan the place first: %(expected)s. Nothing is booked.")


class MustScan(ScanRefused):
    text = _("Scan %(title)s before you enter units.")


class MustScanEach(ScanRefused):
    text = _("Scan each unit of %(title)s. A supervisor may enter units.")


class RecordMissing(ScanRefused):
    text = _("%(title)s needs: %(parts)s. Scan its GS1 code, or type them with the units.")


class AttributeMissing(ScanRefused):
    text = _("%(title)s needs: %(parts)s. Enter it below the article, then book the last unit.")


class SerialTwice(ScanRefused):
    kind = "too_many"
    text = _("Serial number %(serial)s is picked already. Nothing is booked.")


class SerialOneByOne(ScanRefused):
    kind = "too_many"
    text = _("%(title)s has a serial number per unit: book one unit at a time.")


class WeightOff(ScanRefused):
    kind = "too_many"
    text = _("%(title)s weighs %(weight)s g. Right are %(least)s to %(most)s g. Nothing is booked.")


class ToteOfOthers(ScanRefused):
    kind = "wrong_tote"
    text = _("This tote holds the goods of %(holder)s. Take another one.")


class QuantityMissing(ScanRefused):
    text = _("Enter how many units, at least 1.")
