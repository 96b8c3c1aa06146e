"""What routing would make of an order that does not exist: for a checkout. Nothing is written or reserved."""

import secrets

from routing.decisions import Inputs, decide
from routing.demands import demands_of
from routing.queries import load_configuration
from routing.runs import NoConfiguration, Task, chosen_by_shop
from routing.situations import load_situation


def options(order, lines, chosen, *, most, facility_ids=None, now):
    """The ways to serve an order, the best first; each of the others does without the first facility of those before.

    Args:
        order, lines: not saved. chosen: the facilities that the shop preselected.
        most: how many at most.
        facility_ids: only these facilities, None for all.
    Returns:
        ``[Made]``, without those that serve nothing. What a made one leaves is not served by it.
    """
    configuration = load_configuration()
    if configuration is None:
        raise NoConfiguration
    task = Task(order, {line: line.quantity for line in lines})
    preselected = {order.pk: {str(facility.pk) for facility in chosen}}
    ((demand, place_source),) = demands_of([task], preselected, configuration, now)
    situation = load_situation(
        configuration.network,
        {line.article for line in demand.lines},
        now,
        policy_needs=configuration.needs,
    )
    fixed = chosen_by_shop(order, demand)
    candidates = situation.candidates(demand.lines, fixed)
    if facility_ids is not None:
        candidates = candidates.only(map(str, facility_ids))
    found = []
    while candidates and len(found) < most:
        inputs = Inputs(
            demand,
            candidates,
            secrets.randbits(53),
            bool(fixed),
            place_source,
            is_partly=True,
            unknown_units=sum(line.quantity for line in lines if line.article_id is None),
        )
        made = decide(inputs, configuration.tree)
        if not made.placement.parts:
            break
        found.append(made)
        first = made.placement.parts[0].facility
        candidates = candidates.only(key for key in candidates.keys if key != first)
    return found
