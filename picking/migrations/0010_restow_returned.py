import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0020_printing"),
        ("orders", "0004_parcel_tracking"),
        ("picking", "0009_next_work"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="restowitem",
            name="restow_reason",
        ),
        migrations.AddField(
            model_name="restowitem",
            name="is_defective",
            field=models.BooleanField(default=False, verbose_name="defective"),
        ),
        migrations.AlterField(
            model_name="restowitem",
            name="job",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="restow_items",
                to="picking.pickjob",
            ),
        ),
        migrations.AlterField(
            model_name="restowitem",
            name="reason",
            field=models.CharField(
                choices=[
                    ("ABORTED", "The pick job was given up."),
                    ("REROUTED", "The order is placed elsewhere."),
                    ("CANCELLED", "The order was cancelled."),
                    ("REFUSED", "The customer did not take it."),
                    ("NOT_COLLECTED", "The customer did not come."),
                    ("RETURNED", "The customer returned it."),
                ],
                max_length=20,
                verbose_name="reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="restowitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "reason__in",
                        ["ABORTED", "REROUTED", "CANCELLED", "REFUSED", "NOT_COLLECTED", "RETURNED"],
                    )
                ),
                name="restow_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="restowitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("job", None), ("reason", "RETURNED")),
                    models.Q(models.Q(("reason", "RETURNED"), _negated=True), ("job__isnull", False)),
                    _connector="OR",
                ),
                name="restow_job",
            ),
        ),
    ]
