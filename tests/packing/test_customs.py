import datetime

import pytest
from django.urls import reverse

from orders.models import Order
from packing import customs
from packing import services as packing
from packing.models import PackJob
from tests.factories.core import ArticleFactory
from tests.factories.orders import ADDRESS
from tests.factories.packing import pack_job

pytestmark = pytest.mark.django_db
NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
KNOWN = {
    "customs_description": "Stoneware mug for hot drinks",
    "hs_code": "691200",
    "origin_country": "PT",
    "customs_value": "12.50",
    "customs_currency": "EUR",
}


def job_to(country, *articles, facility, **options):
    job = pack_job(*[1] * len(articles), facility=facility, articles=list(articles), **options)
    address = {**ADDRESS, "country": country, "postalCode": "8001"}
    Order.objects.filter(pk=job.order_id).update(consumer={"addresses": [address]})
    return PackJob.objects.get(pk=job.pk)


def test_missing_data_stop_the_start_with_articles_and_fields(facility, packer):
    mug = ArticleFactory(title="Mug", **{**KNOWN, "hs_code": "6912"})
    lamp = ArticleFactory(title="Lamp", weight_g=None, **{**KNOWN, "origin_country": ""})
    job = job_to("CH", mug, ArticleFactory(title="Vase", **KNOWN), lamp, facility=facility)

    with pytest.raises(packing.CustomsDataMissing) as refusal:
        packing.start(job.pk, by=packer, now=NOON)

    assert refusal.value.english == (
        "Customs must know more of these articles: Mug (HS code of 6 digits or more); Lamp (country of origin, weight)."
        " Complete them in the administration."
    )
    job.refresh_from_db()
    assert job.status == "OPEN"


def test_data_that_got_lost_meanwhile_stop_the_labels(facility, packer, closings):
    article = ArticleFactory(**KNOWN)
    job = job_to("CH", article, facility=facility)
    packing.start(job.pk, by=packer, now=NOON)
    package = packing.pack_all(job.pk, by=packer, now=NOON)
    packing.set_weight(job.pk, package.pk, 400, by=packer, now=NOON)
    article.hs_code = ""
    article.save(update_fields=["hs_code"])

    with pytest.raises(packing.CustomsDataMissing):
        packing.close(job.pk, by=packer, now=NOON)

    assert closings == []


def test_nothing_is_asked_inside_the_area_or_of_what_is_collected(facility):
    article = ArticleFactory(title="Mug")

    assert customs.missing(job_to("DE", article, facility=facility)) == []
    collected = job_to("CH", article, facility=facility, number="2", kind=Order.Kind.COLLECT)
    assert customs.missing(collected) == []


def test_one_paper_has_one_currency(facility):
    euro = ArticleFactory(title="Mug", **KNOWN)
    dollar = ArticleFactory(title="Lamp", **{**KNOWN, "customs_currency": "USD"})
    job = job_to("CH", euro, dollar, facility=facility)

    assert [(title, list(map(str, fields))) for title, fields in customs.missing(job)] == [
        ("Lamp", ["value, all in one currency"])
    ]


def test_packer_sees_what_is_missing_before_the_start(client, facility, packer):
    client.force_login(packer)
    job = job_to("CH", ArticleFactory(title="Mug", **{**KNOWN, "hs_code": ""}), facility=facility)

    page = client.get(reverse("packing:job-detail", args=["here", job.pk])).content.decode()

    assert "Mug: HS code of 6 digits or more" in page
