"""The weights of packages, compared with what is in them."""

from django.db import transaction

from .. import queries
from ..weights import USUAL_G, is_unlikely
from .locks import lock_for_packing
from .packages import package_of
from .refusals import OverBoxLimit, PackageEmpty, WeightOutOfRange, WeightUnlikely

MOST_GRAMS = 1_000_000


@transaction.atomic
def set_weight(job_id, package_id, grams, *, confirmed=False, by, now):
    """Store the weight of a package in grams, as the scale shows it.

    Refuses an empty package, less than 1 g, more than its box takes, and a weight that does not fit its articles
    unless ``confirmed``.
    """
    job = lock_for_packing(job_id, by)
    package = queries.with_weights(package_of(job, package_id))
    if not package.units:
        raise PackageEmpty(number=package.number)
    if not 1 <= grams <= MOST_GRAMS:
        raise WeightOutOfRange(most=MOST_GRAMS)
    check_limit(package, grams)
    if not confirmed and is_unlikely(
        grams,
        package.expected_g,
        queries.tolerance_of(job.facility),
        is_box_known=package.box_type is not None,
    ):
        raise WeightUnlikely(grams=grams, expected=package.expected_g)
    package.weight_g = grams
    package.save(update_fields=["weight_g"])
    return package


def check_limit(package, grams):
    if package.box_type is not None and grams > package.box_type.most_g:
        raise OverBoxLimit(box=package.box_type, most=package.box_type.most_g)


def estimate_weights(job):
    for package in job.packages.filter(weight_g=None).select_related("box_type"):
        queries.with_weights(package)
        package.weight_g = min(package.expected_g or USUAL_G, MOST_GRAMS)
        check_limit(package, package.weight_g)
        package.save(update_fields=["weight_g"])
