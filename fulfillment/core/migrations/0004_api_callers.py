import django.db.models.deletion
from django.db import migrations, models
from django.db.models import CharField, F, Value
from django.db.models.functions import Cast, Concat


def name_callers(apps, schema_editor):
    apps.get_model("core", "IdempotencyKey").objects.update(
        caller=Concat(Value("apitoken:"), Cast(F("token_id"), CharField()))
    )


class Migration(migrations.Migration):
    dependencies = [("core", "0003_routing_indexes")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="channel",
            field=models.ForeignKey(
                blank=True,
                help_text="Of the orders that this account imports through the API.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="core.channel",
                verbose_name="sales channel",
            ),
        ),
        migrations.RemoveConstraint(model_name="idempotencykey", name="idempotency_key_once"),
        migrations.AddField(
            model_name="idempotencykey",
            name="caller",
            field=models.CharField(default="", max_length=60),
            preserve_default=False,
        ),
        migrations.RunPython(name_callers, migrations.RunPython.noop),
        migrations.RemoveField(model_name="idempotencykey", name="token"),
        migrations.AddConstraint(
            model_name="idempotencykey",
            constraint=models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once"),
        ),
    ]
