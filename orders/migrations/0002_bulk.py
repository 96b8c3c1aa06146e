import django.core.serializers.json
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import fulfillment.core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0006_connect"),
        ("orders", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkImport",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=fulfillment.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("caller", models.CharField(max_length=60)),
                ("key", models.CharField(max_length=255, null=True)),
                ("sha256", models.CharField(max_length=64)),
                (
                    "facility_ids",
                    models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder, null=True),
                ),
                ("is_dry_run", models.BooleanField(default=False)),
                ("total", models.PositiveIntegerField()),
                ("position", models.PositiveIntegerField(default=0)),
                ("offset", models.PositiveBigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="bulk_imports",
                        to="core.channel",
                    ),
                ),
                (
                    "token",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="core.apitoken",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "bulk import",
                "verbose_name_plural": "bulk imports",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="BulkResult",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("CREATED", "Created"),
                            ("REPLAYED", "Existed already"),
                            ("REFUSED", "Refused"),
                            ("VALID", "Valid"),
                        ],
                        max_length=8,
                    ),
                ),
                ("order_id", models.UUIDField(null=True)),
                ("tenant_order_id", models.CharField(blank=True, max_length=255)),
                (
                    "errors",
                    models.JSONField(default=list, encoder=django.core.serializers.json.DjangoJSONEncoder),
                ),
                (
                    "bulk",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="results",
                        to="orders.bulkimport",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.AddConstraint(
            model_name="bulkimport",
            constraint=models.UniqueConstraint(fields=("caller", "key"), name="bulk_import_key_once"),
        ),
        migrations.AddConstraint(
            model_name="bulkimport",
            constraint=models.CheckConstraint(
                condition=models.Q(("position__lte", models.F("total"))), name="bulk_import_position"
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkresult",
            constraint=models.UniqueConstraint(fields=("bulk", "number"), name="bulk_result_once"),
        ),
        migrations.AddConstraint(
            model_name="bulkresult",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["CREATED", "REPLAYED", "REFUSED", "VALID"])),
                name="bulk_result_outcome",
            ),
        ),
    ]
