"""Listings say themselves how many plain units they have, so that routing need not add up rows at every facility."""

from django.db import migrations, models
from django.db.models import Case, Exists, OuterRef, Subquery, Value, When
from django.db.models.functions import Coalesce


def count_plain_units(apps, schema_editor):
    stocks = apps.get_model("core", "Stock").objects
    sound = stocks.filter(listing=OuterRef("pk"), is_defective=False).order_by()
    special = sound.filter(value__gt=0).exclude(location=None, expires_on=None)
    plain = sound.filter(location=None, expires_on=None)
    listings = apps.get_model("core", "Listing").objects
    listings.update(
        plain_units=Case(
            When(Exists(special), then=None), default=Coalesce(Subquery(plain.values("value")), Value(0))
        )
    )


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [
        migrations.AddField(
            model_name="listing",
            name="plain_units",
            field=models.PositiveIntegerField(default=0, editable=False, null=True),
        ),
        migrations.RemoveIndex(model_name="listing", name="listing_offer"),
        # A reservation writes every index of its listing; listing_once begins with the facility, too.
        migrations.AlterField(
            model_name="listing",
            name="facility",
            field=models.ForeignKey(
                db_index=False,
                on_delete=models.deletion.CASCADE,
                related_name="listings",
                to="core.facility",
            ),
        ),
        migrations.RunPython(count_plain_units, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="listing",
            index=models.Index(
                fields=["article", "status", "facility", "id", "reserved", "plain_units"],
                name="listing_offer",
            ),
        ),
    ]
