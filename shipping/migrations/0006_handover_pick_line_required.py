import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0005_handover_pick_line"),
    ]

    operations = [
        migrations.AlterField(
            model_name="handoverline",
            name="pick_line",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="handover_lines",
                to="picking.pickline",
            ),
        ),
        migrations.AddConstraint(
            model_name="handoverline",
            constraint=models.UniqueConstraint(fields=("job", "pick_line"), name="handover_line_once"),
        ),
    ]
