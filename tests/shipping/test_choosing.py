import pytest
from django.core.exceptions import ValidationError

from fulfillment.core.models import Carrier
from shipping.choosing import choose_carrier, connection_of
from shipping.models import CarrierConnection, Shipment
from tests.factories.core import CarrierFactory, FacilityCarrierFactory, FacilityFactory
from tests.factories.shipping import shipment

pytestmark = pytest.mark.django_db


def connect(facility, key, priority=1, **fields):
    connection = {name: fields.pop(name) for name in ("products", "delivery_areas") if name in fields}
    carrier = CarrierFactory(key=key, name=key.title(), delivery_type=fields.pop("delivery_type", "DELIVERY"))
    link = FacilityCarrierFactory(facility=facility, carrier=carrier, priority=priority, **fields)
    if connection:
        CarrierConnection.objects.create(link=link, adapter="demo", **connection)
    return link


@pytest.fixture
def waiting(facility):
    return shipment(facility=facility, carrier="")


def chosen(waiting, **options):
    choice = choose_carrier(Shipment.objects.get(pk=waiting.pk), **options)
    return choice and (choice.carrier.key, choice.product)


def prefer(waiting, **shipping):
    waiting.order.delivery_preferences = {"shipping": shipping}
    waiting.order.save(update_fields=["delivery_preferences"])


def test_priority_decides_among_those_that_deliver(facility, waiting):
    connect(facility, "third", 3)
    connect(facility, "second", 2)
    connect(facility, "off", 1, status=Carrier.Status.INACTIVE)

    assert chosen(waiting) == ("second", "")


def test_preferred_carrier_goes_before_priority_with_its_product(facility, waiting):
    connect(facility, "cheap", 1)
    products = [{"product": "STANDARD"}, {"product": "EXPRESS"}]
    connect(facility, "good", 2, products=products)
    prefer(waiting, preferredCarriersWithProduct=[{"carrierKey": "good", "carrierProduct": "EXPRESS"}])

    assert chosen(waiting) == ("good", "EXPRESS")


def test_order_of_the_preferences_counts_and_an_unknown_one_does_not(facility, waiting):
    connect(facility, "one", 1)
    connect(facility, "two", 2)
    connect(facility, "three", 3)
    prefer(waiting, preferredCarriers=["gone", "three", "two"])

    assert chosen(waiting) == ("three", "")


@pytest.mark.parametrize(
    ("areas", "expected"),
    [
        ([], True),
        ([{"country": "NL"}], True),
        ([{"country": "NL", "postal_code": "10"}], True),
        ([{"country": "NL", "postal_code": "1015cn"}], True),
        ([{"country": "NL", "postal_code": "20"}], False),
        ([{"country": "DE", "postal_code": ""}], False),
        ([{"country": "DE"}, {"country": "NL", "postal_code": "1"}], True),
    ],
)
def test_delivery_area_is_the_beginning_of_the_postal_code(facility, waiting, areas, expected):
    connect(facility, "local", delivery_areas=areas)
    waiting.recipient = {**waiting.recipient, "postal_code": "1015 CN", "country": "NL"}
    waiting.save(update_fields=["recipient"])

    assert (chosen(waiting) is not None) == expected


def test_product_that_goes_to_the_country_is_taken_and_none_means_no(facility, waiting):
    german = {"product": "V01PAK", "countries": ["DE"]}
    connect(facility, "dhl", products=[german, {"product": "V53WPAK", "countries": ["NL", "BE"]}])
    assert chosen(waiting) == ("dhl", "V53WPAK")
    CarrierConnection.objects.update(products=[german, {"product": "RETURN"}])
    assert chosen(waiting) is None


def test_same_day_order_takes_a_same_day_carrier_and_others_do_not(facility, waiting):
    connect(facility, "bike", 1, delivery_type="SAMEDAY")
    connect(facility, "van", 2)
    assert chosen(waiting) == ("van", "")
    waiting.order.service_level = "SAMEDAY"
    waiting.order.save(update_fields=["service_level"])

    assert chosen(waiting) == ("bike", "")


def test_carrier_without_a_connection_is_booked_by_its_own_adapter(facility):
    carrier = CarrierFactory(key="demo", adapter="demo")

    assert connection_of(FacilityFactory().pk, carrier).adapter == "demo"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("products", "V01PAK"),
        ("products", [{"billing_number": "1"}]),
        ("products", [{"product": "A"}, {"product": "A"}]),
        ("products", [{"product": "A", "countries": ["XX"]}]),
        ("products", [{"product": "A", "price": 1}]),
        ("delivery_areas", "DE"),
        ("delivery_areas", [{"postal_code": "1"}]),
        ("delivery_areas", [{"country": "DE", "postal_code": 1}]),
    ],
)
def test_products_and_areas_are_checked(facility, field, value):
    link = connect(facility, "dhl")
    connection = CarrierConnection(link=link, adapter="demo", **{field: value})

    with pytest.raises(ValidationError) as caught:
        connection.full_clean()

    assert set(caught.value.message_dict) == {field}


def test_credentials_are_stored_encrypted(facility):
    connection = CarrierConnection(link=connect(facility, "dhl"), adapter="dhl_parcel_de")
    connection.credentials = {"password": "hunter2", "username": ""}
    secret = connection.renew_webhook_secret()
    connection.save()

    stored = CarrierConnection.objects.values().get()
    assert "hunter2" not in str(stored)
    assert secret not in str(stored)
    assert CarrierConnection.objects.get().credentials == {"password": "hunter2"}
    assert "hunter2" not in repr(CarrierConnection.objects.get().account)
