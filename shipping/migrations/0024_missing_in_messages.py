from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("shipping", "0023_returns_page"),
    ]

    operations = [
        migrations.AlterField(
            model_name="messagetext",
            name="body",
            field=models.TextField(
                help_text="In place of $name, $order, $facility, $address, $pin, $until, $carrier, $number, $link and $missing stands what is meant.",
                max_length=5000,
                verbose_name="text",
            ),
        ),
    ]
