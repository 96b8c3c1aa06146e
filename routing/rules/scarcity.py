"""Which orders first, when there is not enough for all: so that most of them are served whole."""

from collections import Counter
from collections.abc import Mapping, Sequence

MOST_SEARCHED = (
    300  # contested orders; of more, those that take the smallest share come first, without a search
)
MOST_STEPS = 200_000  # of the search, orders looked at; then the best that was found is used


def serving_order(wants: Sequence[Mapping[str, int]], supply: Mapping[str, int]) -> list[int]:
    """The positions of the orders in the order in which they are best served.

    First those that can all be served whole, as many as possible; among as many, those that stand earlier (smallest
    sum of places). Then the others, as they stand. Where nothing is scarce, everything stays as it stands.

    Args:
        wants: units per article of each order, the one that has waited longest first.
        supply: units per article that can be promised, wherever they are.
    """
    scarce = _scarce(wants, supply)
    needs = [{article: units for article, units in want.items() if article in scarce} for want in wants]
    hopeless = {
        place
        for place, need in enumerate(needs)
        if any(units > supply.get(article, 0) for article, units in need.items())
    }
    contested = [place for place, need in enumerate(needs) if need and place not in hopeless]
    served = _Search([needs[place] for place in contested], supply).best()
    last = hopeless | {place for index, place in enumerate(contested) if index not in served}
    return [place for place in range(len(wants)) if place not in last] + sorted(last)


def _scarce(wants, supply):
    wanted: Counter[str] = Counter()
    for want in wants:
        wanted.update(want)
    return {article for article, units in wanted.items() if units > supply.get(article, 0)}


class _Search:
    """Branch and bound over the contested orders, those that take the smallest share of something scarce first."""

    def __init__(self, needs, supply):
        self.needs, self.steps = needs, 0
        self.left = dict(supply)
        self.order = sorted(
            range(len(needs)),
            key=lambda i: (max(units / supply[article] for article, units in needs[i].items()), i),
        )
        self.articles = {article for need in needs for article in need}
        self.taken: list[int] = []
        self.found: tuple[int, int, frozenset[int]] = (-1, 0, frozenset())

    def best(self) -> frozenset[int]:
        """The places that are served."""
        if len(self.order) > MOST_SEARCHED:
            return frozenset(place for place in self.order if self._take(place))
        if self.order:
            self._go(0)
        return self.found[2]

    def _take(self, place):
        need = self.needs[place]
        fits = all(self.left[article] >= units for article, units in need.items())
        if fits:
            self._add(need, -1)
        return fits

    def _go(self, depth):
        self.steps += len(self.order) - depth
        score = (len(self.taken), -sum(self.taken))
        if score > self.found[:2]:
            self.found = (*score, frozenset(self.taken))
        if depth == len(self.order) or self.steps > MOST_STEPS:
            return
        most = len(self.taken) + self._most_of(self.order[depth:])
        if most < self.found[0] or (most == self.found[0] and self._cannot_be_earlier(depth, most)):
            return
        place = self.order[depth]
        if self._take(place):
            self.taken.append(place)
            self._go(depth + 1)
            self.taken.pop()
            self._add(self.needs[place], 1)
        self._go(depth + 1)

    def _add(self, need, sign):
        for article, units in need.items():
            self.left[article] += sign * units

    def _most_of(self, rest):
        """At most so many of the rest fit: the smallest needs first, for each article by itself."""
        most = len(rest)
        for article in self.articles:
            asking = sorted(units for i in rest if (units := self.needs[i].get(article)))
            room, fitting = self.left[article], 0
            for units in asking:
                room -= units
                if room < 0:
                    break
                fitting += 1
            most = min(most, len(rest) - len(asking) + fitting)
        return most

    def _cannot_be_earlier(self, depth, most):
        """Whether as many as were found stand later at best, whichever of the rest join."""
        earliest = sorted(self.order[depth:])[: most - len(self.taken)]
        return -(sum(self.taken) + sum(earliest)) <= self.found[1]
