"""The bulk import: what is received, what becomes of each row, and that nothing is done twice."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fulfillment.core.api.schema import validate
from fulfillment.core.models import OutboxEntry, StatusChange
from fulfillment.core.outbox import RetryLater
from fulfillment.core.services import signin
from orders import bulk, services, tasks, wire
from orders.events import BulkReceived
from orders.models import BulkImport, BulkResult, Order, OrderLine
from orders.services import placing
from tests.apiclient import Api, described
from tests.factories.core import ArticleFactory, ChannelFactory, FacilityFactory, api_token, staff
from tests.factories.orders import OrderFactory, wire_order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path / "bulk"


@pytest.fixture
def api(client):
    return Api(client)


def lines(*orders):
    return "\n".join(order if isinstance(order, str) else json.dumps(order) for order in orders)


def send(api, body, query=None, **headers):
    return api.call("POST", "/api/orders/bulk", body, query=query, **headers)


def work(response):
    """Let the worker do what was received; returns the id."""
    assert response.status_code == 202, response.content
    pk = response.json()["id"]
    bulk.work_off(BulkReceived(bulk_id=pk))
    return pk


def results(api, pk, **query):
    response = api.get(f"/api/orders/bulk/{pk}", query)
    assert response.status_code == 200, response.content
    return validate(wire.bulk_import, response.json())


@pytest.mark.parametrize("form", ["lines", "array", "pretty array"])
def test_orders_are_created_from(api, folder, form):
    article = ArticleFactory()
    orders = [wire_order((article, 2), tags=[{"id": "a", "value": "ü\n€"}]), wire_order(("SKU-NOBODY", 1))]
    body = {
        "lines": lines(*orders) + "\r\n\n",
        "array": json.dumps(orders),
        "pretty array": "\r\n" + json.dumps(orders, indent=2, ensure_ascii=False),
    }[form]

    response = send(api, body)
    before = validate(wire.bulk_import, response.json())
    pk = work(response)
    answer = results(api, pk)

    assert response["Location"] == f"/api/orders/bulk/{pk}"
    assert (before["status"], before["total"], before["done"]) == ("OPEN", 2, 0)
    assert (answer["status"], answer["done"]) == ("FINISHED", 2)
    assert answer["counts"] == {"CREATED": 2, "REPLAYED": 0, "REFUSED": 0, "VALID": 0}
    created = {order.tenant_order_id: order for order in Order.objects.all()}
    assert answer["results"] == [
        {
            "row": number,
            "result": "CREATED",
            "orderRef": str(created[data["tenantOrderId"]].pk),
            "tenantOrderId": data["tenantOrderId"],
        }
        for number, data in enumerate(orders, start=1)
    ]
    assert list(folder.iterdir()) == []


def test_an_order_of_a_bulk_is_like_a_single_one(api):
    facility, article = FacilityFactory(), ArticleFactory()
    data = wire_order(
        (article, 2),
        customAttributes={"a": 1},
        deliveryPreferences={
            "shipping": {"preselectedFacilities": [{"tenantFacilityId": facility.tenant_facility_id}]}
        },
    )
    single = services.place(data, channel=ChannelFactory(), by=None, now=timezone.now())
    skipped = {"id", "process_id", "created_at", "modified_at", "tenant_order_id"}

    work(send(api, lines({**data, "tenantOrderId": "other"})))

    order = Order.objects.get(tenant_order_id="other")
    for field in Order._meta.concrete_fields:
        if field.attname not in skipped:
            assert getattr(order, field.attname) == getattr(single, field.attname), field
    assert list(order.preselected_facilities.all()) == [facility]
    assert order.lines.get().article == article
    assert StatusChange.objects.filter(order_id=order.pk, action="create").count() == 1
    assert OutboxEntry.objects.filter(event="OrderPlaced", payload__order_id=str(order.pk)).count() == 1


def test_a_bad_row_keeps_nobody_else_out(api):
    good = [wire_order(), wire_order()]
    bad = [
        "{not json",
        '{"orderDate": 1, "orderDate": 2}',
        "17",
        wire_order(colour="red"),
        wire_order(orderLineItems=[]),
        wire_order(consumer={"email": "a@b.example"}),
        wire_order(deliveryPreferences={"collect": [{"facilityRef": "nobody"}]}),
    ]

    answer = results(api, work(send(api, lines(good[0], *bad, good[1]))))

    assert answer["counts"] == {"CREATED": 2, "REPLAYED": 0, "REFUSED": 7, "VALID": 0}
    refused = {row["row"]: row["errors"][0] for row in answer["results"] if row["result"] == "REFUSED"}
    assert [refused[number]["summary"] for number in range(2, 9)] == [
        "PARSE_ERROR",
        *["VALIDATION_FAILED"] * 4,
        "ADDRESS_MISSING",
        "UNKNOWN_FACILITY",
    ]
    assert refused[5]["description"] == "colour: is not a known property"
    assert Order.objects.count() == 2


def test_a_bad_row_says_what_the_single_post_says(api):
    data = wire_order(colour="red", orderDate="soon")

    single = api.post("/api/orders", data)
    [row] = results(api, work(send(api, lines(data))))["results"]

    assert row["errors"] == single.json()


def test_an_order_sent_again_is_replayed_and_another_with_its_number_refused(api):
    data = wire_order()
    first = services.place(data, channel=ChannelFactory(), by=None, now=timezone.now())
    other = wire_order(("SKU-2", 2), tenantOrderId=data["tenantOrderId"])
    new = wire_order()

    noted = {**data, "customAttributes": {"gift": True}}

    answer = results(api, work(send(api, lines(data, other, new, new, noted))))

    outcomes = [row["result"] for row in answer["results"]]
    assert outcomes == ["REPLAYED", "REFUSED", "CREATED", "REPLAYED", "REFUSED"]
    assert answer["results"][0]["orderRef"] == str(first.pk)
    assert answer["results"][1]["errors"][0]["summary"] == "NUMBER_TAKEN"
    assert answer["results"][3]["orderRef"] == answer["results"][2]["orderRef"]
    assert Order.objects.count() == 2


def test_a_dry_run_writes_no_order(api):
    taken = OrderFactory()

    pk = work(
        send(
            api,
            lines(wire_order(), wire_order(("SKU-2", 2), tenantOrderId=taken.tenant_order_id), "{"),
            {"dryRun": "true"},
        )
    )

    answer = results(api, pk)
    assert [row["result"] for row in answer["results"]] == ["VALID", "REFUSED", "REFUSED"]
    assert answer["dryRun"]
    assert "orderRef" not in answer["results"][0]
    assert Order.objects.get() == taken


def test_results_are_paged_and_filtered(api):
    pk = work(send(api, lines(*(wire_order() if number % 2 else "{" for number in range(5)))))

    first = results(api, pk, size=2)["results"]
    second = results(api, pk, size=3, startAfterId=first[-1]["row"])["results"]
    refused = results(api, pk, result="REFUSED,REPLAYED")["results"]

    assert [row["row"] for row in first + second] == [1, 2, 3, 4, 5]
    assert [row["row"] for row in refused] == [1, 3, 5]
    assert api.get(f"/api/orders/bulk/{pk}", {"size": 1001}).status_code == 400
    assert api.get(f"/api/orders/bulk/{pk}", {"startAfterId": "x"}).status_code == 400


@pytest.mark.parametrize("batch", [1, 2, 50])
def test_work_that_broke_off_goes_on_where_it_was(api, monkeypatch, batch):
    monkeypatch.setattr(bulk, "BATCH", batch)
    response = send(api, lines(*(wire_order(tenantOrderId="") for _number in range(5))))
    pk = response.json()["id"]
    real, calls = services.place_many, []

    def breaks(*args, **options):
        calls.append(1)
        found = real(*args, **options)
        if len(calls) == 2 or batch == 50:
            raise RuntimeError("The machine is gone.")
        return found

    monkeypatch.setattr(services, "place_many", breaks)
    with pytest.raises(RuntimeError):
        bulk.work_off(BulkReceived(bulk_id=pk))
    written = Order.objects.count()
    half = results(api, pk)
    monkeypatch.setattr(services, "place_many", real)
    work(response)
    work(response)

    assert written == half["done"] == len(half["results"]) == (0 if batch == 50 else batch)
    assert half["status"] == ("OPEN" if batch == 50 else "IN_PROGRESS")
    assert results(api, pk)["counts"]["CREATED"] == 5
    assert Order.objects.count() == 5
    assert BulkResult.objects.count() == 5


def test_a_worker_whose_batch_another_wrote_steps_back(api, monkeypatch):
    response = send(api, lines(wire_order(), wire_order()))
    pk = response.json()["id"]
    stale = BulkImport.objects.get(pk=pk)
    work(response)

    with bulk.path_of(pk).open("wb") as file:
        file.write(b"{}\n")
    monkeypatch.setattr(BulkImport.objects.__class__, "get", lambda self, **lookup: stale)
    with pytest.raises(RetryLater):
        bulk.work_off(BulkReceived(bulk_id=pk))

    assert Order.objects.count() == 2


def test_a_long_import_gives_the_lane_back(api, monkeypatch):
    monkeypatch.setattr(bulk, "BATCH", 1)
    monkeypatch.setattr(bulk, "LONGEST_TURN", -1)
    response = send(api, lines(wire_order(), wire_order()))

    with pytest.raises(RetryLater) as again:
        work(response)
    work(response)

    assert again.value.seconds == 0
    assert Order.objects.count() == 2


def test_a_batch_that_the_database_refuses_is_written_row_by_row(api, monkeypatch):
    """A number that another caller took between the look and the writing fails the whole batch."""
    orders = [wire_order() for _number in range(3)]
    real, calls = placing._build, []

    def races(data, *args):
        calls.append(1)
        if len(calls) == 2:
            OrderFactory(tenantOrderId=data["tenantOrderId"])
        return real(data, *args)

    monkeypatch.setattr(placing, "_build", races)

    answer = results(api, work(send(api, lines(*orders))))

    assert [row["result"] for row in answer["results"]] == ["CREATED", "CREATED", "CREATED"]


def test_a_batch_takes_the_same_queries_for_any_number_of_rows(api):
    def queries(*orders):
        response = send(api, lines(*orders))
        with CaptureQueriesContext(connection) as captured:
            work(response)
        return len(captured)

    queries(wire_order())

    assert queries(wire_order((ArticleFactory(), 1))) == queries(
        *(wire_order((ArticleFactory(), 1), ("SKU-9", 2)) for _number in range(20))
    )


def test_the_key_replays_the_same_orders_and_refuses_others(api, folder):
    body = lines(wire_order())

    first = send(api, body, **{"Idempotency-Key": "k"})
    second = send(api, body, **{"Idempotency-Key": "k"})
    other = send(api, lines(wire_order()), **{"Idempotency-Key": "k"})
    dry = send(api, body, {"dryRun": "true"}, **{"Idempotency-Key": "k"})

    assert (second.status_code, second["Idempotency-Replayed"]) == (202, "true")
    assert second.json()["id"] == first.json()["id"]
    assert (other.status_code, dry.status_code) == (409, 409)
    assert len(list(folder.iterdir())) == BulkImport.objects.count() == 1
    assert OutboxEntry.objects.filter(event="BulkReceived").count() == 1


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("", 400, "body: has no orders"),
        (" \n\n ", 400, "body: has no orders"),
        ("[]", 400, "body: has no orders"),
        ("[{]", 400, "The body is not a JSON array of orders."),
        ('[{"a": 1} {"a": 2}]', 400, "The body is not a JSON array of orders."),
        ('[{"a": 1}', 400, "The body is not a JSON array of orders."),
        ('[{"a": 1}] 7', 400, "Something stands behind the JSON array."),
        (b'["\xff"]', 400, "The body is not UTF-8."),
        ("\n".join(["{}"] * 10_001), 400, "body: must not have more than 10000 orders"),
        ("x" * (2 * 1024 * 1024 + 70_000), 413, "The body is larger than 2097152 bytes."),
    ],
)
def test_a_body_is_refused_as_a_whole(api, folder, body, status, message):
    response = send(api, body)

    assert (response.status_code, described(response)) == (status, [message])
    assert list(folder.iterdir()) == []
    assert not BulkImport.objects.exists()


def test_a_body_above_the_limit_is_refused_unread(api, settings):
    settings.BULK_MAX_BYTES = 10

    assert send(api, lines(wire_order())).status_code == 413


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_chunks_may_end_anywhere(size):
    orders = [wire_order(tags=[{"id": 'q"[{', "value": "ü€\\"}]) for _number in range(3)]
    bodies = [
        lines(*orders).encode(),
        json.dumps(orders, indent=1).encode(),
        ("\n [" + ",".join(json.dumps(order, ensure_ascii=False) for order in orders) + " ]\n").encode(),
    ]
    for body in bodies:
        chunks = (body[begin : begin + size] for begin in range(0, len(body), size))

        assert [json.loads(row) for row in bulk.split(chunks)] == orders


def test_old_imports_and_files_nobody_needs_are_forgotten(api, folder):
    month = bulk.KEEP + bulk.LONGEST_UPLOAD
    work(send(api, lines(wire_order())))
    waiting = send(api, lines(wire_order())).json()["id"]
    (folder / "left.jsonl").write_text("{}")
    fresh = tasks.forget_bulks() or (BulkImport.objects.count(), len(list(folder.iterdir())))

    gone = bulk.forget_old(now=timezone.now() + month)

    assert (fresh, gone) == ((2, 2), 1)
    assert str(BulkImport.objects.get().pk) == waiting
    assert [path.stem for path in folder.iterdir()] == [waiting]


def test_who_may_not_place_orders_is_refused(client, api):
    body = lines(wire_order())
    picker = signin.access_token(staff("picker", FacilityFactory()), now=timezone.now())
    no_channel = signin.access_token(staff("administrator"), now=timezone.now())

    assert client.post("/api/orders/bulk", body, content_type="application/json").status_code == 401
    assert send(Api(client, api_token("READ")), body).status_code == 403
    assert send(Api(client, picker), body).status_code == 403
    assert send(Api(client, no_channel), body).status_code == 403


def test_a_bulk_is_seen_by_who_sent_it(client, api):
    pk = work(send(api, lines(wire_order())))

    assert Api(client, api_token()).get(f"/api/orders/bulk/{pk}").status_code == 404


def test_a_token_with_facilities_names_no_others(client):
    mine, other = FacilityFactory(), FacilityFactory()
    api = Api(client, api_token(facilities=[mine]))
    orders = [
        wire_order(deliveryPreferences={"collect": [{"facilityRef": str(facility.pk)}]})
        for facility in (mine, other)
    ]

    answer = results(api, work(send(api, lines(*orders))))

    assert [row["result"] for row in answer["results"]] == ["CREATED", "REFUSED"]
    assert answer["results"][1]["errors"][0]["summary"] == "FACILITY_NOT_ALLOWED"
    assert OrderLine.objects.count() == 1
