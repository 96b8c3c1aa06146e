"""Which web server: the same bare view, served by granian and by gunicorn with two workers each."""

from fulfillment.core.models import Channel
from tests.bench.orders import order_bodies
from tests.bench.server import post_all, running

ORDERS = 600


def measure():
    """Orders per second of a bare view per server, the ratio against gunicorn."""
    Channel.objects.get_or_create(key="bench-floor", defaults={"name": "Floor"})
    speed = {}
    for server in ("gunicorn", "granian"):
        with running(server) as port:
            post_all(port, "/floor/orders", order_bodies(f"{server}-warm", 50))
            speed[server] = ORDERS / post_all(port, "/floor/orders", order_bodies(server, ORDERS))
    return [
        {
            "name": f"server: {server}",
            "value": round(value, 1),
            "unit": "orders/s",
            "ratio": value / speed["gunicorn"],
            "note": "bare view, 2 workers; ratio to gunicorn",
        }
        for server, value in speed.items()
    ]
