import django.core.serializers.json
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import django_fsm
from django.db import migrations, models

import fulfillment.core.ids

REASONS = [
    ("does-not-fit", "Does not fit", "Passt nicht"),
    ("does-not-please", "Does not please", "Gefällt nicht"),
    ("damaged", "Is damaged", "Ist beschädigt"),
    ("not-ordered", "Is not what was ordered", "Ist nicht das Bestellte"),
    ("too-late", "Came too late", "Kam zu spät"),
    ("other", "Other reason", "Anderer Grund"),
]
CONDITIONS = [
    ("as-new", "As new", "Wie neu", "STOCK", 100),
    ("opened", "Opened, complete", "Geöffnet, vollständig", "STOCK", 100),
    ("damaged", "Damaged", "Beschädigt", "DEFECTIVE", 100),
    ("worn", "Worn or incomplete", "Getragen oder unvollständig", "REJECT", 0),
]


def seed(apps, schema_editor):
    """What a retailer starts with; each can be changed, and more be added, in the administration."""
    apps.get_model("shipping", "ReturnReason").objects.bulk_create(
        apps.get_model("shipping", "ReturnReason")(key=key, name=name, name_de=name_de, position=number)
        for number, (key, name, name_de) in enumerate(REASONS, start=1)
    )
    apps.get_model("shipping", "ReturnCondition").objects.bulk_create(
        apps.get_model("shipping", "ReturnCondition")(
            key=key, name=name, name_de=name_de, outcome=outcome, refund_percent=percent, position=number
        )
        for number, (key, name, name_de, outcome, percent) in enumerate(CONDITIONS, start=1)
    )


class Migration(migrations.Migration):
    dependencies = [
        ("core", "0021_returns"),
        ("orders", "0004_parcel_tracking"),
        ("shipping", "0010_replaced_papers"),
    ]

    operations = [
        migrations.CreateModel(
            name="ReturnReason",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.SlugField(unique=True, verbose_name="key")),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                ("name_de", models.CharField(blank=True, max_length=60, verbose_name="name in German")),
                ("position", models.PositiveSmallIntegerField(default=1, verbose_name="position")),
                ("is_active", models.BooleanField(default=True, verbose_name="in use")),
            ],
            options={
                "verbose_name": "reason of a return",
                "verbose_name_plural": "reasons of returns",
                "ordering": ["position", "key"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ReturnCondition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.SlugField(unique=True, verbose_name="key")),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                ("name_de", models.CharField(blank=True, max_length=60, verbose_name="name in German")),
                ("position", models.PositiveSmallIntegerField(default=1, verbose_name="position")),
                ("is_active", models.BooleanField(default=True, verbose_name="in use")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("STOCK", "Accepted, back into the stock"),
                            ("DEFECTIVE", "Accepted, to the defective stock"),
                            ("REJECT", "Rejected, back to the customer"),
                        ],
                        max_length=9,
                        verbose_name="what becomes of the goods",
                    ),
                ),
                (
                    "refund_percent",
                    models.PositiveSmallIntegerField(
                        default=100,
                        validators=[django.core.validators.MaxValueValidator(100)],
                        verbose_name="refund (%)",
                    ),
                ),
            ],
            options={
                "verbose_name": "condition of returned goods",
                "verbose_name_plural": "conditions of returned goods",
                "ordering": ["position", "key"],
                "abstract": False,
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("outcome__in", ["STOCK", "DEFECTIVE", "REJECT"])),
                        name="return_condition_outcome",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("refund_percent__lte", 100)), name="return_condition_refund"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReturnJob",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=fulfillment.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("modified_at", models.DateTimeField(auto_now=True)),
                (
                    "custom_attributes",
                    models.JSONField(
                        blank=True, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder
                    ),
                ),
                ("tags", models.JSONField(blank=True, default=list)),
                (
                    "status",
                    django_fsm.FSMField(
                        choices=[
                            ("OPEN", "Open"),
                            ("IN_PROGRESS", "In progress"),
                            ("FINISHED", "Finished"),
                            ("CANCELED", "Cancelled"),
                        ],
                        default="OPEN",
                        max_length=50,
                        protected=True,
                        verbose_name="status",
                    ),
                ),
                ("short_id", models.CharField(max_length=10, verbose_name="short id")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                (
                    "facility",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="return_jobs",
                        to="core.facility",
                    ),
                ),
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="return_job",
                        to="orders.order",
                    ),
                ),
            ],
            options={
                "verbose_name": "return job",
                "verbose_name_plural": "return jobs",
                "ordering": ["pk"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ItemReturn",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=fulfillment.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("modified_at", models.DateTimeField(auto_now=True)),
                (
                    "custom_attributes",
                    models.JSONField(
                        blank=True, default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder
                    ),
                ),
                ("tags", models.JSONField(blank=True, default=list)),
                (
                    "status",
                    django_fsm.FSMField(
                        choices=[
                            ("ANNOUNCED", "Announced"),
                            ("OPEN", "Arrived"),
                            ("IN_PROGRESS", "In progress"),
                            ("PAUSED", "Paused"),
                            ("WAITING_FOR_INPUT", "Needs a decision"),
                            ("FINISHED", "Finished"),
                            ("CANCELED", "Cancelled"),
                            ("OBSOLETE", "Obsolete"),
                        ],
                        default="ANNOUNCED",
                        max_length=50,
                        protected=True,
                        verbose_name="status",
                    ),
                ),
                (
                    "scannable_codes",
                    models.JSONField(blank=True, default=list, verbose_name="scannable codes"),
                ),
                ("is_by_customer", models.BooleanField(default=False, verbose_name="by the customer")),
                ("opened_at", models.DateTimeField(null=True, verbose_name="arrived at")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished at")),
                (
                    "facility",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="item_returns",
                        to="core.facility",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="item_returns",
                        to="orders.order",
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="item_returns",
                        to="shipping.returnjob",
                    ),
                ),
            ],
            options={
                "verbose_name": "return",
                "verbose_name_plural": "returns",
                "ordering": ["pk"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="ReturnJobLine",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=fulfillment.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("title", models.CharField(max_length=500, verbose_name="title")),
                ("delivered", models.PositiveIntegerField(default=0, verbose_name="delivered")),
                ("returned", models.PositiveIntegerField(default=0, verbose_name="returned")),
                ("is_returnable", models.BooleanField(default=True, verbose_name="may be returned")),
                (
                    "article",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="core.article"
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="shipping.returnjob",
                    ),
                ),
                (
                    "order_line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="return_lines",
                        to="orders.orderline",
                    ),
                ),
            ],
            options={
                "ordering": ["order_line__position", "pk"],
            },
        ),
        migrations.CreateModel(
            name="ReturnedItem",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=fulfillment.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("is_announced", models.BooleanField(default=False, verbose_name="announced")),
                ("reason_comment", models.CharField(blank=True, max_length=300, verbose_name="comment")),
                ("received_at", models.DateTimeField(null=True, verbose_name="received at")),
                (
                    "condition_comment",
                    models.CharField(blank=True, max_length=300, verbose_name="comment on the condition"),
                ),
                (
                    "verdict",
                    models.CharField(
                        blank=True,
                        choices=[("ACCEPTED", "Accepted"), ("REJECTED", "Rejected")],
                        max_length=8,
                        verbose_name="decision",
                    ),
                ),
                (
                    "decision_reason",
                    models.CharField(blank=True, max_length=300, verbose_name="reason of the decision"),
                ),
                (
                    "place",
                    models.CharField(
                        blank=True,
                        choices=[("STOCK", "Stock"), ("DEFECTIVE", "Defective stock")],
                        max_length=9,
                        verbose_name="goes to",
                    ),
                ),
                ("refund_percent", models.PositiveSmallIntegerField(null=True, verbose_name="refund (%)")),
                (
                    "refund_amount",
                    models.DecimalField(decimal_places=2, max_digits=12, null=True, verbose_name="refund"),
                ),
                ("refund_currency", models.CharField(blank=True, max_length=3, verbose_name="currency")),
                (
                    "condition",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="shipping.returncondition",
                        verbose_name="condition",
                    ),
                ),
                (
                    "item_return",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="shipping.itemreturn",
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="shipping.returnjobline",
                    ),
                ),
                (
                    "reason",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="shipping.returnreason",
                        verbose_name="reason",
                    ),
                ),
            ],
            options={
                "ordering": ["line__order_line__position", "pk"],
            },
        ),
        migrations.AddConstraint(
            model_name="returnjob",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["OPEN", "IN_PROGRESS", "FINISHED", "CANCELED"])),
                name="return_job_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="returnjob",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", False), ("status", "FINISHED")),
                    models.Q(models.Q(("status", "FINISHED"), _negated=True), ("finished_at", None)),
                    _connector="OR",
                ),
                name="return_job_finished_at",
            ),
        ),
        migrations.AddIndex(
            model_name="itemreturn",
            index=models.Index(fields=["facility", "status"], name="item_return_list"),
        ),
        migrations.AddConstraint(
            model_name="itemreturn",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            "ANNOUNCED",
                            "OPEN",
                            "IN_PROGRESS",
                            "PAUSED",
                            "WAITING_FOR_INPUT",
                            "FINISHED",
                            "CANCELED",
                            "OBSOLETE",
                        ],
                    )
                ),
                name="item_return_status",
            ),
        ),
        migrations.AddConstraint(
            model_name="itemreturn",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("opened_at__isnull", False),
                    ("status", "ANNOUNCED"),
                    ("status", "CANCELED"),
                    ("status", "OBSOLETE"),
                    _connector="OR",
                ),
                name="item_return_opened_at",
            ),
        ),
        migrations.AddConstraint(
            model_name="itemreturn",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", False), ("status", "FINISHED")),
                    models.Q(models.Q(("status", "FINISHED"), _negated=True), ("finished_at", None)),
                    _connector="OR",
                ),
                name="item_return_finished_at",
            ),
        ),
        migrations.AddConstraint(
            model_name="returnjobline",
            constraint=models.UniqueConstraint(
                fields=("job", "order_line", "article"), name="return_line_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="returnjobline",
            constraint=models.CheckConstraint(
                condition=models.Q(("returned__lte", models.F("delivered"))), name="return_line_units"
            ),
        ),
        migrations.AddConstraint(
            model_name="returneditem",
            constraint=models.CheckConstraint(
                condition=models.Q(("verdict__in", ["", "ACCEPTED", "REJECTED"])),
                name="returned_item_verdict",
            ),
        ),
        migrations.AddConstraint(
            model_name="returneditem",
            constraint=models.CheckConstraint(
                condition=models.Q(("place__in", ["", "STOCK", "DEFECTIVE"])), name="returned_item_place"
            ),
        ),
        migrations.AddConstraint(
            model_name="returneditem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("received_at__isnull", False),
                    models.Q(("condition", None), ("is_announced", True), ("verdict", "")),
                    _connector="OR",
                ),
                name="returned_item_received_at",
            ),
        ),
        migrations.AddConstraint(
            model_name="returneditem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("verdict", "ACCEPTED"),
                        models.Q(("place", ""), _negated=True),
                        ("refund_percent__lte", 100),
                    ),
                    models.Q(
                        models.Q(("verdict", "ACCEPTED"), _negated=True),
                        ("place", ""),
                        ("refund_amount", None),
                    ),
                    _connector="OR",
                ),
                name="returned_item_accepted",
            ),
        ),
        migrations.AddConstraint(
            model_name="returneditem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("verdict", "REJECTED"), _negated=True),
                    models.Q(("decision_reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="returned_item_rejected",
            ),
        ),
        migrations.RunPython(seed, migrations.RunPython.noop),
    ]
