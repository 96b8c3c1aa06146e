import django.db.models.deletion
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def name_pick_lines(apps, schema_editor):
    """Until now a line of an order was one pick line of a job."""
    pick_lines = apps.get_model("picking", "PickLine").objects.filter(
        job__handover_jobs=OuterRef("job"), order_line=OuterRef("order_line")
    )
    apps.get_model("shipping", "HandoverLine").objects.update(
        pick_line=Subquery(pick_lines.order_by("pk").values("pk")[:1])
    )


class Migration(migrations.Migration):
    dependencies = [
        ("picking", "0007_substitutes"),
        ("shipping", "0004_connections"),
    ]

    operations = [
        migrations.AddField(
            model_name="handoverline",
            name="pick_line",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="handover_lines",
                to="picking.pickline",
            ),
        ),
        migrations.RunPython(name_pick_lines, migrations.RunPython.noop),
        migrations.RemoveConstraint(model_name="handoverline", name="handover_line_once"),
    ]
