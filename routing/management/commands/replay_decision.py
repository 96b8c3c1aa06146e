from django.core.management.base import BaseCommand, CommandError

from routing.decisions import differences, load_log, restore
from routing.models import DecisionLog


class Command(BaseCommand):
    help = "Make a routing decision again from what it kept, and say whether it comes out the same."

    def add_arguments(self, parser):
        parser.add_argument("decision", type=int, help="Number of the decision, as in the administration.")

    def handle(self, *, decision, **options):
        try:
            log = load_log(decision)
        except DecisionLog.DoesNotExist:
            raise CommandError(f"There is no decision {decision}.") from None
        split = restore(log).decision.split
        self.stdout.write(
            f"Order {log.order}, run {log.run}, revision {log.revision_id}, network {log.snapshot_id[:12]}, seed {log.seed}"
        )
        names = {one.key: one.site.name for one in restore(log).candidates}
        for part in split.parts:
            self.stdout.write(f"  {names[part.facility]}: {sum(line.quantity for line in part.lines)} units")
        self.stdout.write(f"  nobody: {sum(line.quantity for line in split.remainder)} units")
        if found := differences(log):
            for name, kept, again in found:
                self.stderr.write(f"{name}: {kept} was decided, {again} comes out now")
            raise CommandError("The decision comes out differently: the rules of this version are others.")
        self.stdout.write("The same.")
