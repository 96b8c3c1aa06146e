"""What a package should weigh. Pure: no database, no clock. All weights in grams."""

# A package weighs at least its articles, less what scales and master data are off,
# and at most that much more, plus a box with filling.
LIGHTEST, HEAVIEST, BOX_G = 0.9, 1.2, 1500
# What a package is said to weigh when nobody weighed it and the weight of an article is unknown.
USUAL_G = 1000


def expected_weight(contents):
    """Weight of the articles in a package; None when it is empty or the weight of one of them is unknown.

    Args:
        contents: pairs of (units, grams of one unit or None).
    """
    contents = list(contents)
    if not contents or any(grams is None for _units, grams in contents):
        return None
    return sum(units * grams for units, grams in contents)


def is_unlikely(grams, expected):
    """Whether a weight is far from what the articles weigh; nothing is unlikely when that is unknown."""
    return expected is not None and not expected * LIGHTEST <= grams <= expected * HEAVIEST + BOX_G
