from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0016_past_returns"),
    ]

    operations = [
        migrations.AddField(
            model_name="returneditem",
            name="received_in",
            field=models.UUIDField(editable=False, null=True),
        ),
    ]
