import datetime

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .models import Heartbeat

SIGN_OF_LIFE = datetime.timedelta(seconds=60)


@require_safe
@never_cache
def healthz(request):
    """200 when the database answers and a worker was alive on every lane in the last minute, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        beats = dict(Heartbeat.objects.values_list("lane", "at"))
    except DatabaseError as error:
        return JsonResponse({"database": type(error).__name__, "worker": "unknown"}, status=503)
    oldest = timezone.now() - SIGN_OF_LIFE
    silent = [lane for lane in settings.LANES if lane not in beats or beats[lane] < oldest]
    body = {
        "database": "ok",
        "worker": f"silent on {', '.join(silent)}" if silent else "ok",
    }
    return JsonResponse(body, status=503 if silent else 200)
