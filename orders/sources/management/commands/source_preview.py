import json
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from orders.sources import inbox
from orders.sources.drafts import Action
from orders.sources.models import Connection, ImportedOrder
from orders.sources.reading import NotOfThisSource, read_json
from orders.sources.registry import KINDS


class Command(BaseCommand):
    help = "Print what a connector would make of a payload: a webhook body, a poll page or a single order."

    def add_arguments(self, parser):
        parser.add_argument("kind", metavar="KIND", help=f"One of {', '.join(KINDS)}.")
        parser.add_argument("file", metavar="FILE.json")
        parser.add_argument(
            "--connection", metavar="NAME", help="Use the settings and tables of this connection."
        )

    def handle(self, *, kind, file, connection, **options):
        if kind not in KINDS:
            raise CommandError(f"There is no source {kind}; there are {', '.join(KINDS)}.", returncode=2)
        source, known = KINDS[kind], None
        if connection is not None:
            known = Connection.objects.filter(name=connection, kind=kind).first()
            if known is None:
                raise CommandError(f"There is no {source.label} connection named {connection}.", returncode=2)
        settings = source.options(known.settings if known else None)
        try:
            payload = read_json(Path(file).read_bytes())
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.", returncode=2) from error
        except ValueError as error:
            raise CommandError(f"{file} is not JSON.", returncode=2) from error
        try:
            orders = source.mapping.unwrap(payload)
        except NotOfThisSource as error:
            raise CommandError(
                f"{file} is not an order, page or message of {source.label}.", returncode=2
            ) from error
        drafts = [draft for order in orders for draft in inbox.mapped_orders(source, order, settings)]
        if known is not None:
            drafts = [_as_known(draft, known) for draft in drafts]
        self.stdout.write(json.dumps([draft.preview() for draft in drafts], ensure_ascii=False, indent=2))


def _as_known(draft, connection):
    """An import of an order that is here already is an update, or nothing when something newer is known."""
    imported = ImportedOrder.objects.filter(
        connection=connection, external_id=draft.order_id, group=draft.group
    ).first()
    if imported is None or draft.action != Action.IMPORT:
        return draft
    if draft.is_older_than(imported.version, imported.source_updated_at):
        return draft.but(Action.IGNORE, "OLDER")
    if imported.order_id is not None and draft.digest == imported.digest:
        return draft.but(Action.IGNORE, "UNCHANGED")
    return draft.but(Action.UPDATE)
