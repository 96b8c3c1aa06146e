"""What customs must know of a job's goods."""

from django.utils.translation import gettext_lazy as _

from fulfillment.core.customs import Goods, is_border_between
from orders.models import Order

LABELS = {
    "customs_description": _("description for customs"),
    "hs_code": _("HS code of 6 digits or more"),
    "origin_country": _("country of origin"),
    "weight_g": _("weight"),
    "value": _("value, all in one currency"),
}


def is_needed(job):
    """Whether the goods of a job cross a customs border. What customers collect does not."""
    if job.kind != Order.Kind.SHIPPING:
        return False
    address = job.order.shipping_address
    if address is None:
        return False
    here = (job.facility.country, job.facility.postal_code)
    return is_border_between(here, (address.country, address.postal_code))


def goods_of(line, quantity=None):
    """A pack line as ``Goods``. The value is what the shop sent with the order, else that of the article.

    Args:
        line: loaded with ``order_line__order`` and ``article``.
    """
    article, order_line = line.article, line.order_line
    value, currency = order_line.price
    if value is None:
        value, currency = article.customs_value, article.customs_currency
    return Goods(
        sku=line.sku,
        title=line.title,
        quantity=line.quantity if quantity is None else quantity,
        customs_description=article.customs_description,
        hs_code=article.hs_code,
        origin_country=article.origin_country,
        weight_g=article.weight_g,
        value=value,
        currency=currency,
    )


def missing(job):
    """``[(article title, [what is missing])]`` of a job whose goods cross a customs border; empty when all is known."""
    if not is_needed(job):
        return []
    found = [goods_of(line) for line in job.lines.select_related("article", "order_line__order")]
    # One paper has one currency.
    currency = next((goods.currency for goods in found if "value" not in goods.missing), "")
    answer = []
    for goods in found:
        names = goods.missing
        if "value" not in names and goods.currency != currency:
            names.append("value")
        if names:
            answer.append((goods.title, [LABELS[name] for name in names]))
    return answer
