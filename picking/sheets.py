"""The sheet of command codes, and what the page that tests a scanner asks for."""

from django.utils.translation import gettext as _
from django.utils.translation import override

from fulfillment.core import sheets

from .commands import CODES, REASON_CODES, Command
from .models import ShortReason

# Y and Z change places on a wrong keyboard layout, and so does the hyphen: whoever reads this right reads everything.
LAYOUT_CODE = "LAYOUT-YZ-019"


def command_sheet(facility, language):
    """Every command as a code, for the reasons that the facility offers, and the code that tests the scanner."""
    with override(language):
        labels = [sheets.labelled(CODES[command], str(command.label)) for command in Command]
        labels += [
            sheets.labelled(REASON_CODES[reason], str(reason.label), _("Missing"))
            for reason in ShortReason
            if reason in facility.short_reasons
        ]
        labels.append(sheets.labelled(LAYOUT_CODE, _("Test of the scanner")))
    return sheets.sheet(facility.name, labels, language)
