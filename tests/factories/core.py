"""Facilities, staff, articles and stock for tests. Stock comes in through the goods receipt, as in a store."""

import factory
from django.utils import timezone

from fulfillment.core.models import (
    ApiToken,
    Article,
    ArticleCode,
    Carrier,
    Channel,
    Facility,
    FacilityCarrier,
    Listing,
    Membership,
    Role,
    StorageLocation,
    User,
)
from fulfillment.core.services import stock


class FacilityFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Facility

    name = factory.Sequence(lambda n: f"Store {n}")
    tenant_facility_id = factory.Sequence(lambda n: f"S-{n:03}")
    slug = factory.Sequence(lambda n: f"store-{n}")
    company_name = "Shop BV"
    street = "Damrak"
    house_number = "1"
    postal_code = "1012 LG"
    city = "Amsterdam"
    country = "NL"
    latitude = 52.3747
    longitude = 4.8980
    time_zone = "Europe/Amsterdam"


class StorageLocationFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = StorageLocation

    facility = factory.SubFactory(FacilityFactory)
    name = factory.Sequence(lambda n: f"A-{n:02}")
    running_sequence = factory.Sequence(lambda n: n)
    scannable_codes = factory.LazyAttribute(lambda location: [f"LOC-{location.name}"])


class ArticleFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Article
        skip_postgeneration_save = True

    sku = factory.Sequence(lambda n: f"SKU-{n:04}")
    title = factory.Sequence(lambda n: f"Article {n}")
    weight_g = 300
    length_mm = 200
    width_mm = 150
    height_mm = 50

    @factory.post_generation
    def code(article, create, code, **units):
        if code:
            ArticleCode.objects.create(article=article, code=code, **units)


class ListingFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Listing

    facility = factory.SubFactory(FacilityFactory)
    article = factory.SubFactory(ArticleFactory)


class ChannelFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Channel
        django_get_or_create = ["key"]

    key = "web"
    name = "Web shop"


class CarrierFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Carrier
        django_get_or_create = ["key"]

    key = "demo"
    name = "Demo carrier"
    adapter = "demo"


class FacilityCarrierFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = FacilityCarrier

    facility = factory.SubFactory(FacilityFactory)
    carrier = factory.SubFactory(CarrierFactory)


def put_stock(facility, article, units, *, location=None, expires_on=None):
    """Receive units of an article at a facility; returns the stock row."""
    return stock.receive(
        facility,
        article.sku,
        units,
        location=location,
        expires_on=expires_on,
        by=None,
        now=timezone.now(),
    )


def staff(role, *facilities, email=None, password=None):
    """A user with a preset role at the facilities, or network-wide when none is given."""
    user = User.objects.create_user(
        email or f"{role}-{User.objects.count()}@example.com", password, is_staff=role == "administrator"
    )
    for facility in facilities or (None,):
        Membership.objects.create(user=user, role=Role.objects.get(key=role), facility=facility)
    return user


def api_token(*scopes, channel=None, facilities=()):
    """An API token with the scopes, or with all of them when none is given; returns the secret."""
    token = ApiToken(
        name="Test",
        channel=channel or ChannelFactory(),
        scopes=list(scopes or ApiToken.Scope.values),
    )
    secret = token.issue()
    token.save()
    token.facilities.set(facilities)
    return secret
