"""The configuration a new installation routes by, published as revision 1."""

from django.db import migrations

FENCES = ["BLACKLIST", "SERVICE_TYPE", "COUNTRY", "PRESELECTED"]
RATINGS = [("STOCK_AVAILABILITY", 10), ("GEODISTANCE", 2), ("WORKLOAD", 2)]


def seed(apps, schema_editor):
    configuration = apps.get_model("routing", "RoutingConfiguration").objects.create(pk=1)
    apps.get_model("routing", "FenceSetting").objects.bulk_create(
        apps.get_model("routing", "FenceSetting")(configuration=configuration, key=key) for key in FENCES
    )
    apps.get_model("routing", "RatingSetting").objects.bulk_create(
        apps.get_model("routing", "RatingSetting")(configuration=configuration, key=key, weight=weight)
        for key, weight in RATINGS
    )
    apps.get_model("routing", "RoutingRevision").objects.create(
        number=1,
        data={
            "fences": FENCES,
            "ratings": [{"key": key, "weight": f"{weight}.00"} for key, weight in RATINGS],
            "split": {"is_active": True, "max_count": 2},
            "partly_reservable": "WAIT",
            "stop_after_hours": 8,
        },
    )


class Migration(migrations.Migration):
    dependencies = [("routing", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
