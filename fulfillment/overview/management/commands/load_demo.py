import json
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fulfillment.core.models import Article, Facility
from fulfillment.demo import loader


class Command(BaseCommand):
    help = "Load the demo network with its staff into an empty database. Never in production mode."

    def add_arguments(self, parser):
        parser.add_argument("--password", help="For every demo login; else DEMO_PASSWORD, else a new one.")
        parser.add_argument("--logins", help="Write the logins to this file as JSON, readable by you only.")

    def handle(self, *, password, logins, **options):
        if settings.PRODUCTION:
            raise CommandError("The demo network is not for production mode; unset PRODUCTION.")
        if Facility.objects.exists() or Article.objects.exists():
            raise CommandError("The database is not empty; the demo network was not loaded.")
        password = password or os.environ.get("DEMO_PASSWORD") or secrets.token_urlsafe(9)
        made = loader.load(password)
        if logins:
            path = Path(logins)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(json.dumps(made))
        if options["verbosity"]:
            for email, word in made.items():
                self.stdout.write(f"{email:28} {word}")
