"""What carriers tell us unasked: one address per connection, signed with its secret."""

import logging

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from fulfillment.core.encryption import UnreadableSecret
from fulfillment.core.limits import hit

from . import tracking
from .carriers import NotSigned, UnknownAdapter, adapter_of
from .models import CarrierConnection

logger = logging.getLogger(__name__)

PER_MINUTE = 600


@csrf_exempt
@require_POST
def carrier_hook(request, pk):
    """Where a carrier posts the way of its parcels. Told twice, it is kept once."""
    connection = get_object_or_404(CarrierConnection.objects.for_booking(), pk=pk)
    count, left = hit(f"carrier-hook:{pk}", 60)
    if count > PER_MINUTE:
        return HttpResponse(status=429, headers={"Retry-After": str(left)})
    try:
        tracks = adapter_of(connection).read_webhook(
            request.body, {name.lower(): value for name, value in request.headers.items()}
        )
    except NotSigned:
        return HttpResponse(status=401)
    except (UnknownAdapter, UnreadableSecret):
        logger.exception("The hook of %s cannot be read.", connection)
        return HttpResponse(status=503)
    except (ValueError, KeyError, TypeError, AttributeError):
        # Signed, but not what its documentation says.
        logger.warning("%s told something that cannot be read.", connection, exc_info=True)
        return HttpResponse(status=400)
    tracking.told(connection, tracks, now=timezone.now())
    return HttpResponse(status=204)
