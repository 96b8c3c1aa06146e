import pytest
from django.urls import reverse

from tests.factories.shipping import labelled, parcel

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("model", ["shipment", "parcel", "handoverjob"])
def test_rows_are_found_and_shown_but_not_changed(admin_client, facility, model):
    done = labelled(facility=facility)
    parcel(facility=facility, number="1002")
    row = {"shipment": done.shipment, "parcel": done, "handoverjob": done.handover_job}[model]

    found = admin_client.get(reverse(f"admin:shipping_{model}_changelist"), {"q": "1001"})
    shown = admin_client.get(reverse(f"admin:shipping_{model}_change", args=[row.pk]))
    changed = admin_client.post(reverse(f"admin:shipping_{model}_change", args=[row.pk]), {"status": "OPEN"})
    added = admin_client.get(reverse(f"admin:shipping_{model}_add"))

    assert [result.pk for result in found.context["cl"].result_list] == [row.pk]
    assert (shown.status_code, changed.status_code, added.status_code) == (200, 403, 403)
