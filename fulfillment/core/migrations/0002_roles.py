"""The roles every retailer starts with; each can be changed, and more be added, in the administration."""

from django.db import migrations

ROLES = {
    "picker": ("Picker", ["PICK"]),
    "packer": ("Packer", ["PACK", "SHIP", "HAND_OVER"]),
    "supervisor": (
        "Supervisor",
        ["PICK", "PACK", "SHIP", "HAND_OVER", "STOCK", "SUPERVISE", "ORDERS", "ROUTING"],
    ),
    "administrator": (
        "Administrator",
        [
            "PICK",
            "PACK",
            "SHIP",
            "HAND_OVER",
            "STOCK",
            "SUPERVISE",
            "ORDERS",
            "ROUTING",
            "ROUTING_PUBLISH",
            "CONNECT",
        ],
    ),
}


def create_roles(apps, schema_editor):
    Role = apps.get_model("core", "Role")
    Role.objects.bulk_create(
        Role(key=key, name=name, permissions=permissions) for key, (name, permissions) in ROLES.items()
    )


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [migrations.RunPython(create_roles, migrations.RunPython.noop)]
