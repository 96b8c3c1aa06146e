from django.db import migrations


def forget_lines(apps, schema_editor):
    """Pack jobs that became obsolete before their lines were let go of kept pick lines from being merged."""
    lines = apps.get_model("packing", "PackLine").objects.filter(job__status="OBSOLETE")
    apps.get_model("packing", "PackageItem").objects.filter(line__in=lines).delete()
    lines.delete()


class Migration(migrations.Migration):
    dependencies = [("packing", "0006_order_of_lines")]

    operations = [migrations.RunPython(forget_lines, migrations.RunPython.noop)]
