import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from fulfillment.demo import loader


class Command(BaseCommand):
    help = "Post the demo orders to a running system through its API, as a shop does."

    def add_arguments(self, parser):
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="Address of the running system.")

    def handle(self, *, url, **options):
        if settings.PRODUCTION:
            raise CommandError("The demo orders are not for production mode.")
        headers = {"Authorization": f"Bearer {loader.shop_token('Demo orders')}"}
        # The local certificate of `make run HOST=` is our own.
        with httpx.Client(base_url=url, headers=headers, timeout=30, verify=False) as client:  # noqa: S501
            for order in loader.orders(timezone.now()):
                key = {"Idempotency-Key": f"demo-{order['tenantOrderId']}"}
                answer = client.post("/api/orders", json=order, headers=key)
                if answer.status_code != httpx.codes.CREATED:
                    raise CommandError(f"{order['tenantOrderId']}: {answer.status_code} {answer.text[:500]}")
        self.stdout.write("The demo orders are posted.")
