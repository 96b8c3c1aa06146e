from django.core.management.base import BaseCommand, CommandError

from fulfillment.core.models import Listing
from fulfillment.core.queries import stock_off_the_ledger


class Command(BaseCommand):
    help = (
        "Check that the value of every stock row is the sum of its movements, and that listings say what their rows "
        "say; fails and names those that do not."
    )

    def handle(self, *args, **options):
        wrong = list(stock_off_the_ledger())
        for stock in wrong:
            self.stderr.write(
                f"{stock.listing.facility.tenant_facility_id} {stock.listing.article.sku} "
                f"{stock.location or '-'}: {stock.value} units, {stock.ledger} by its movements"
            )
        astray = list(Listing.objects.off_their_stock().select_related("facility", "article"))
        for listing in astray:
            self.stderr.write(
                f"{listing.facility.tenant_facility_id} {listing.article.sku}: "
                f"plain units {listing.plain_units}, {listing.counted} by its stock rows"
            )
        if wrong or astray:
            raise CommandError(
                f"{len(wrong)} stock rows differ from their movements, {len(astray)} listings from their stock rows."
            )
        self.stdout.write("Every stock row agrees with its movements, every listing with its stock rows.")
