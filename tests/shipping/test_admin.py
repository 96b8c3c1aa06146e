import pytest
from django.urls import reverse
from django.utils import translation

from shipping.carriers.dhl_parcel_de import _tokens
from shipping.models import CarrierConnection, ReturnCondition
from tests.carrierstub import DhlStub
from tests.factories.core import FacilityCarrierFactory
from tests.factories.shipping import connected, labelled, parcel

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


# Connections

CREDENTIALS = {"client_id": "id", "client_secret": "hunter2", "username": "user", "password": "pass"}


def address(connection):
    return reverse("admin:shipping_carrierconnection_change", args=[connection.pk])


def form(stub_url, **fields):
    return {
        "status": "ACTIVE",
        "priority": "1",
        "base_url": stub_url,
        "label_format": "PDF",
        "products": '[{"product": "V01PAK", "billing_number": "33333333330101"}]',
        "delivery_areas": "[]",
        **{f"credential_{name}": value for name, value in CREDENTIALS.items()},
        **fields,
    }


def test_connection_is_made_in_two_steps(admin_client, facility):
    link = FacilityCarrierFactory(facility=facility)

    answer = admin_client.post(
        reverse("admin:shipping_carrierconnection_add"), {"link": link.pk, "adapter": "dhl_parcel_de"}
    )

    connection = CarrierConnection.objects.get()
    assert answer.url == address(connection)
    assert connection.base_url == "https://api-eu.dhl.com"
    assert "credential_client_secret" in admin_client.get(answer.url).content.decode()


def test_credentials_are_written_kept_and_never_shown(admin_client, facility):
    connection = connected(facility, "dhl_parcel_de")

    admin_client.post(address(connection), form("https://api.example"))
    page = admin_client.get(address(connection)).content.decode()
    empty = {f"credential_{name}": "" for name in CREDENTIALS} | {"credential_password": "new"}
    admin_client.post(address(connection), form("https://api.example", priority="7", **empty))

    connection = CarrierConnection.objects.get()
    assert "hunter2" not in page
    assert connection.credentials == {**CREDENTIALS, "password": "new"}
    assert connection.link.priority == 7


def test_address_of_a_carrier_is_with_https_when_nobody_says(admin_client, facility):
    connection = connected(facility, "dhl_parcel_de")

    admin_client.post(address(connection), form("api.example"))

    assert CarrierConnection.objects.get().base_url == "https://api.example"


def test_check_says_that_it_works_or_names_what_is_wrong(admin_client, facility):
    _tokens.clear()
    connection = connected(facility, "dhl_parcel_de")
    with DhlStub().listening() as stub:
        works = admin_client.post(address(connection), form(stub.url, _check="1"), follow=True)
        stub.login = 401
        refused = admin_client.post(
            address(connection), form(stub.url, _check="1", products="[]"), follow=True
        )
        login = admin_client.post(address(connection), form(stub.url, _check="1"), follow=True)

    def said(answer):
        return [str(message) for message in answer.context["messages"]]

    assert said(works) == ["Amsterdam · Dhl_Parcel_De works."]
    assert said(refused) == ["Enter at least one product with its billing number, like V01PAK."]
    assert said(login) == ["The carrier refuses the login. Check the credentials of the connection."]


def test_secret_for_messages_is_shown_once(admin_client, facility):
    connection = connected(facility, "demo")
    data = form("", _renew_secret="1", products="[]")

    shown = admin_client.post(address(connection), data, follow=True).content.decode()

    secret = CarrierConnection.objects.get().webhook_secret
    assert len(secret) > 30
    assert secret in shown
    assert secret not in admin_client.get(address(connection)).content.decode()


# Words of returns


def test_conditions_and_reasons_are_named_by_the_retailer(admin_client):
    fields = {"key": "smelly", "name": "Smells", "name_de": "Riecht", "position": "5", "is_active": "on"}
    made = admin_client.post(
        reverse("admin:shipping_returncondition_add"), fields | {"outcome": "REJECT", "refund_percent": "0"}
    )
    refused = admin_client.post(
        reverse("admin:shipping_returncondition_add"),
        fields | {"key": "better", "outcome": "STOCK", "refund_percent": "101"},
    )
    reason = admin_client.post(reverse("admin:shipping_returnreason_add"), fields)

    assert (made.status_code, refused.status_code, reason.status_code) == (302, 200, 302)
    condition = ReturnCondition.objects.get(key="smelly")
    with translation.override("de"):
        assert str(condition) == "Riecht"
    assert (str(condition), condition.names) == ("Smells", {"en_US": "Smells", "de_DE": "Riecht"})
    assert not ReturnCondition.objects.filter(key="better").exists()
