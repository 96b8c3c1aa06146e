"""The sheet of command codes, and what the page that tests a scanner asks for."""

from django.utils.translation import gettext as _
from django.utils.translation import override

from fulfillment.core import sheets

from .commands import CODES, REASON_CODES, Command
from .models import ShortReason
from .practice import CARTON, CARTON_CODE, SUBSTITUTE_CODE, TOTE_CODE, WRONG_CODE, practice

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


def practice_sheet(facility, language):
    """What is scanned in practice: places and articles in the order of the walk, and what goes wrong on purpose."""
    with override(language):
        made_up = practice(facility)
        labels = []
        for line in made_up.walk.lines:
            labels.append(sheets.labelled(line.places[0].codes[0], line.places[0].name, _("Place")))
            labels.append(sheets.labelled(line.codes[0], line.shown_title, f"{line.quantity} ×"))
        labels += [
            sheets.labelled(
                CARTON_CODE, made_up.walk.lines[1].title, _("Carton of %(units)s") % {"units": CARTON}
            ),
            sheets.labelled(SUBSTITUTE_CODE, _("Tea towel, green"), _("Instead of the blue one")),
            sheets.labelled(WRONG_CODE, _("Cushion"), _("Not of this job")),
            sheets.labelled(TOTE_CODE, _("Tote")),
        ]
    return sheets.sheet(f"{facility.name} · {_('Practice')}", labels, language)
