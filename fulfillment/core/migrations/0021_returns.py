"""Who hands goods over takes them back, too, until an administrator says otherwise."""

from django.db import migrations


def allow_returns(apps, schema_editor):
    for role in apps.get_model("core", "Role").objects.all():
        if "HAND_OVER" in role.permissions and "RETURNS" not in role.permissions:
            role.permissions = [*role.permissions, "RETURNS"]
            role.save(update_fields=["permissions"])


class Migration(migrations.Migration):
    dependencies = [("core", "0020_printing")]
    operations = [migrations.RunPython(allow_returns, migrations.RunPython.noop)]
