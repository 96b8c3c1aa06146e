from django.core.management.base import BaseCommand, CommandError

from fulfillment.core.queries import stock_off_the_ledger


class Command(BaseCommand):
    help = "Check that the value of every stock row is the sum of its movements; fails and names those that are not."

    def handle(self, *args, **options):
        wrong = list(stock_off_the_ledger())
        for stock in wrong:
            self.stderr.write(
                f"{stock.listing.facility.tenant_facility_id} {stock.listing.article.sku} "
                f"{stock.location or '-'}: {stock.value} units, {stock.ledger} by its movements"
            )
        if wrong:
            raise CommandError(f"{len(wrong)} stock rows differ from their movements.")
        self.stdout.write("Every stock row agrees with its movements.")
