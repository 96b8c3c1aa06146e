"""Why a step of packing is refused."""

from django.utils.translation import gettext_lazy as _

from fulfillment.core.errors import Refused


class NotInProgress(Refused):
    text = _("%(job)s is %(status)s. Start it before you pack.")


class PackedBySomeoneElse(Refused):
    text = _("%(packer)s is packing %(job)s. Take it over if you want to go on with it.")


class UnknownCode(Refused):
    text = _("No article has the code %(code)s.")


class NotOnThisJob(Refused):
    text = _("%(article)s does not belong to this order. Put it aside.")


class NotInBatch(NotOnThisJob):
    text = _("%(article)s does not belong to this batch. Put it aside.")


class TooManyUnits(Refused):
    text = _("Only %(left)s more of %(title)s can be packed.")


class AllPacked(TooManyUnits):
    text = _("All units of %(title)s are packed. Put this one aside.")


class BatchComplete(TooManyUnits):
    text = _("No order of this batch misses %(article)s. Put this one aside.")


class NotInPackage(Refused):
    text = _("Only %(packed)s of %(title)s are in this package.")


class QuantityTooSmall(Refused):
    text = _("The quantity must be at least 1.")


class PackageNotEmpty(Refused):
    text = _("Package %(number)s is not empty. Take its units out first.")


class PackageGone(Refused):
    text = _("This package is not there any more. Choose another one.")


class TooManyPackages(Refused):
    text = _("A pack job has at most %(most)s packages.")


class CodeNotUsable(Refused):
    text = _("The code of a package has letters, digits, dots and dashes, %(most)s at most.")


class PackageCodeTaken(Refused):
    text = _("Another package has the code %(code)s.")


class PackageEmpty(Refused):
    text = _("Package %(number)s is empty. Put something in before you weigh it.")


class WeightUnlikely(Refused):
    text = _(
        "%(grams)s g is far from the %(expected)s g it should weigh. Check the package, or confirm the weight."
    )


class WeightOutOfRange(Refused):
    text = _("A weight is given in grams, from 1 to %(most)s.")


class OverBoxLimit(Refused):
    text = _("%(box)s takes at most %(most)s g. Take something out, or choose another box.")


class UnknownBox(Refused):
    text = _("This box is not used here. Choose another one.")


class GoesOnElsewhere(Refused):
    text = _("%(title)s goes on in package %(number)s. Take that back first.")


class DoesNotGoOn(Refused):
    text = _("%(title)s does not go on in package %(number)s.")


class NothingToGoOn(Refused):
    text = _("Put the article into its first package; then say that it goes on in another one.")


class CustomsWantsWholeUnits(Refused):
    text = _("This goes through customs, so %(title)s has to be in one package.")


class SamePackage(Refused):
    text = _("Choose the package that it is moved to.")


class MustScan(Refused):
    text = _("Scan %(title)s before you pack it by hand.")


class MustScanEach(Refused):
    text = _("Scan each unit of %(title)s. A supervisor may pack without.")


class NotVerified(Refused):
    text = _("%(units)s units of %(title)s are not verified. Take them out and scan them.")


class CustomsDataMissing(Refused):
    text = _("Customs must know more of these articles: %(missing)s. Complete them in the administration.")


class UnitsLeft(Refused):
    text = _("%(units)s units are not packed yet.")


class WeightMissing(Refused):
    text = _("Package %(number)s has no weight yet.")


class PackingBegan(Refused):
    text = _("%(job)s is being packed or is packed; its picking can no longer be taken back.")


class PackingEnded(Refused):
    text = _("%(job)s is %(status)s; nobody has to pack it any more.")


class PackJobNeedsPickJob(Refused):
    text = _("A pack job is opened when its pick job is closed. Name such a job in pickJobRef.")


class NotALine(Refused):
    text = _("%(line)s is not a line of %(job)s.")


class LineNotToBeSplit(Refused):
    text = _(
        "%(title)s cannot be split like this: each part has at least one unit, and no more is packed than it has."
    )


class AlreadyPacked(Refused):
    text = _("%(job)s is packed already; the order can no longer be cancelled.")
