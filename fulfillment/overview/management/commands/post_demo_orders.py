from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fulfillment.demo import shop


class Command(BaseCommand):
    help = "Post the demo orders to a running system through its API, as a shop does."

    def add_arguments(self, parser):
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="Address of the running system.")
        parser.add_argument("--certificate", help="Certificate to trust, when the system made its own.")

    def handle(self, *, url, certificate, **options):
        if settings.PRODUCTION:
            raise CommandError("The demo orders are not for production mode.")
        try:
            posted = shop.post_orders(url, certificate=certificate)
        except shop.OrderRefusedError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{len(posted)} demo orders are posted.")
