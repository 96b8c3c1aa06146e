"""Whether a source still wants an order: looked at once more right before its label. Where units may be cancelled until
then, the source is asked.
"""

from fulfillment.core.outbox import RetryLater

from . import http, polling
from .models import Delivery, ImportedOrder
from .reasons import TOO_LATE, UNDECIDED
from .registry import KINDS, kind_of, open_client

ASKED = [kind.key for kind in KINDS.values() if kind.is_asked_before_label]


def is_wanted(order_id, *, now):
    """Whether an order may get its label; False when a person has to decide before it is shipped.

    Where units may be cancelled until they are sent, the order is read anew and what changed is brought to it.

    Raises:
        RetryLater: the source does not answer.
    """
    imported = ImportedOrder.objects.select_related("connection__channel").filter(order=order_id).first()
    if imported is None:
        return True
    connection = imported.connection
    waiting = Delivery.objects.parked().filter(connection=connection, external_id=imported.external_id)
    if connection.kind not in ASKED or connection.is_paused:
        return not waiting.filter(reason_code__in=UNDECIDED).exists()
    try:
        with open_client(connection) as client:
            client.be_quick()  # the labels of everybody wait behind it
            raw = client.order(imported.external_id)
    except http.SourceError as failure:
        seconds = failure.seconds if isinstance(failure, http.Throttled) else None
        raise RetryLater(str(failure), seconds=seconds) from failure
    if raw is None:
        return True  # the report will be refused, with the words of the source
    outcomes = polling.bring(connection, kind_of(connection), [raw], now=now)
    is_announced = any(
        outcome.draft.is_reserved or (outcome.reason and outcome.reason.code == "NOT_RELEASED")
        for outcome in outcomes
    )
    return not is_announced and not waiting.filter(reason_code__in=UNDECIDED + TOO_LATE).exists()
