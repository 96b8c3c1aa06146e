"""A made-up job to practise the scan loop with. Its rows are never saved, and its screen sends nothing.

Its places and articles stand on a sheet to print, so that a new colleague can practise at a desk.
"""

import dataclasses
import uuid

from django.utils.translation import gettext as _

from fulfillment.core.codes import check_character
from fulfillment.core.models import Article, ArticleCode, Listing, Stock, StorageLocation
from orders.models import OrderLine

from . import floor_map, run_queries, screen
from .models import Allocation, PickJob, PickLine
from .queries import Walk, prepare
from .substitutes import Choice

AISLES = {
    number: (6, f"EX-{number}") for number in (1, 2, 3)
}  # {aisle: (its last bay, its name)}, for the map
CARTON = 3  # units that the code of a carton stands for


def _code(body):
    return body + check_character(body)


TOTE_CODE = _code("TEXERC1SE01")
CARTON_CODE = _code("EXC01")
WRONG_CODE = _code("EXA99")  # of an article that the job has not
SUBSTITUTE_CODE = _code("EXA09")


@dataclasses.dataclass
class Practice:
    """A job like any other, of a facility and with its rules, and what is on the sheet beside it."""

    job: PickJob
    walk: Walk
    choices: dict

    @property
    def map(self):
        return floor_map.draw(run_queries.marks_of(self.walk), AISLES)

    def screen_data(self, *, may_override):
        data = screen.screen_data(
            self.walk, self.job, may_override=may_override, history=[], choices=self.choices
        )
        # What no line has is wrong here, also where a facility counts it: there the server decides.
        data["rules"]["unknown"] = False
        return data


def practice(facility):
    """The job to practise with: three lines, a code of a carton, and a substitute for the last of them."""
    job = PickJob(facility=facility, short_id=_("Practice"))
    lines = [
        _line(job, 1, _("Mug"), 2, _place(facility, 1, 2)),
        _line(job, 2, _("Box of candles"), CARTON + 1, _place(facility, 1, 5), carton=CARTON_CODE),
        _line(job, 3, _("Tea towel, blue"), 2, _place(facility, 2, 3)),
    ]
    for line in lines:
        prepare(line)
    green = _article(9, _("Tea towel, green"), SUBSTITUTE_CODE)
    row = Stock(location=_place(facility, 3, 1), value=5)
    row.free = row.value
    choice = Choice(green, Listing(facility=facility, article=green), [row])
    return Practice(job, Walk(lines, lines[0]), {lines[-1].article_id: [choice]})


def _id(name):
    """The same each time the page is loaded: the screen goes on where it was."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"practice/{name}")


def _article(number, title, *codes):
    article = Article(pk=_id(f"article/{number}"), sku=f"EX-{number}", title=title)
    article._prefetched_objects_cache = {
        "codes": [
            ArticleCode(code=code, units=units) for units, code in zip((1, CARTON), codes, strict=False)
        ]
    }
    return article


def _place(facility, aisle, bay):
    name = f"EX-{aisle}-{bay}"
    return StorageLocation(
        pk=_id(name),
        facility=facility,
        name=name,
        aisle=aisle,
        bay=bay,
        scannable_codes=[_code(f"EXP{aisle}{bay}")],
    )


def _line(job, number, title, quantity, place, carton=""):
    codes = [_code(f"EXA0{number}"), *filter(None, [carton])]
    article = _article(number, title, *codes)
    line = PickLine(
        pk=_id(f"line/{number}"),
        article=article,
        order_line=OrderLine(),
        listing=Listing(facility=job.facility, article=article),
        title=title,
        sequence=number,
        quantity=quantity,
    )
    allocation = Allocation(line=line, stock=Stock(location=place), quantity=quantity)
    line._prefetched_objects_cache = {"allocations": [allocation], "photos": []}
    return line
