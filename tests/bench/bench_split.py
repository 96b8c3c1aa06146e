"""The exact split of one order: how long it works, and how often the answer is proven to be the best.

Time of the processor, so that what else the machine does changes neither the figures nor how far a search gets.
"""

import random
import statistics
import time

from routing import rules
from routing.runs import SEARCH_SECONDS

FACILITIES, LINES, ORDERS = 200, 10, 300
SHARES = (0.05, 0.2, 0.5)  # of the articles that a facility has
SPLITS = 3
POLICY = rules.Policy(
    frozenset({"COUNTRY", "SERVICE_TYPE"}),
    {"GEODISTANCE": 2, "STOCK_AVAILABILITY": 10, "WORKLOAD": 2},
    max_split_count=SPLITS,
)


def measure():
    """Per density of stock: the 99th percentile in milliseconds, and the share of proven answers."""
    rows = []
    for share in SHARES:
        times, proven, sets, parts = [], 0, [], []
        draw = random.Random(f"split-{share}")
        for number in range(ORDERS):
            demand, candidates = _problem(draw, share)
            begin = time.thread_time()
            end = begin + SEARCH_SECONDS
            made = rules.decide(
                demand, candidates, POLICY, number, lambda looked_at, end=end: time.thread_time() < end
            )
            times.append((time.thread_time() - begin) * 1000)
            proven += made.split.is_proven
            sets.append(made.split.looked_at)
            parts.append(len(made.split.parts))
        times.sort()
        name = f"split: each has {share:.0%} of the articles"
        rows += [
            {
                "name": name,
                "value": round(times[int(len(times) * 0.99)], 1),
                "unit": "ms, p99",
                "note": f"{FACILITIES} facilities, {LINES} lines, {SPLITS} splits; target 50; "
                f"median {statistics.median(times):.1f}, {statistics.mean(parts):.1f} parts",
            },
            {
                "name": name,
                "value": round(100 * proven / ORDERS, 1),
                "unit": "% proven",
                "note": f"median {statistics.median(sets):.0f} choices compared",
            },
        ]
    return rows


def _problem(draw, share):
    """An order, and facilities that have some of it each."""
    lines = tuple([rules.Line(f"A{number}", draw.randint(1, 3)) for number in range(LINES)])
    candidates = [
        rules.Candidate(
            rules.Site(
                key=f"F{number:03}",
                name=f"F{number}",
                country="NL",
                services=frozenset({"SHIP_FROM_STORE"}),
                position=(51 + 2 * draw.random(), 4 + 2 * draw.random()),
            ),
            available={line.article: draw.randint(1, 4) for line in lines if draw.random() < share},
            workload=draw.randint(0, 200),
        )
        for number in range(FACILITIES)
    ]
    return rules.Demand("SHIP_FROM_STORE", "NL", (52.0, 5.0), lines), candidates
