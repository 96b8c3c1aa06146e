"""Fences that were part of the code before keep holding where a configuration is in use already."""

from django.db import migrations

NEW = ["BLACKLIST", "PRESELECTED"]


def keep(apps, schema_editor):
    revision = apps.get_model("routing", "RoutingRevision")
    last = revision.objects.order_by("-number").first()
    missing = [key for key in NEW if last is not None and key not in last.data["fences"]]
    if not missing:
        return
    setting = apps.get_model("routing", "FenceSetting")
    for draft in apps.get_model("routing", "RoutingConfiguration").objects.all():
        for key in missing:
            setting.objects.update_or_create(
                configuration=draft, key=key, name="", defaults={"is_active": True}
            )
    revision.objects.create(
        number=last.number + 1,
        data={**last.data, "fences": [*last.data["fences"], *missing]},
        comment="Upgrade: preselected and excluded facilities are fences now.",
    )


class Migration(migrations.Migration):
    dependencies = [("routing", "0004_strategy")]
    operations = [migrations.RunPython(keep, migrations.RunPython.noop)]
