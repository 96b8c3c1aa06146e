"""What we cancelled in a source ourselves comes back with the next poll: it is no change of the shop's."""

from django.db import transaction

from .models import ImportedOrder


@transaction.atomic
def take_out(job, note):
    """Take the units of a report out of what the shop ordered, and forget what was noted before it was sent."""
    job.report.notes.pop(note, None)  # the same report may be asked for again, for more units
    imported = ImportedOrder.objects.lock(pk=job.imported.pk)
    for line in job.lines:
        if known := imported.lines.get(line.line_id):
            known["ordered"] -= line.quantity
    imported.save(update_fields=["lines"])
