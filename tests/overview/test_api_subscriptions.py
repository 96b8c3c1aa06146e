"""Subscriptions, their steps and their deliveries through the API."""

import datetime
import json
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from standardwebhooks import Webhook

from fulfillment.core.api.schema import validate
from fulfillment.core.models import ApiToken, IdempotencyKey
from fulfillment.core.services import signin
from fulfillment.overview import delivering, services, targets
from fulfillment.overview import subscription_wire as wire
from fulfillment.overview.models import Subscription, WebhookEvent
from tests.apiclient import Api, described
from tests.factories.core import ChannelFactory, FacilityFactory, api_token, staff
from tests.factories.overview import happened, subscribe
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db

URL = "http://127.0.0.1:9/hook"
OLD = {"name": "CTC_ORDER_CREATED", "event": "ORDER_CREATED", "callbackUrl": URL}
NEW = {"name": "n8n", "event": "ORDER_CREATED", "target": {"type": "WEBHOOK", "callbackUrl": URL}}
SECRET_HEADER = [{"key": "Authorization", "value": "Bearer topsecret"}]


@pytest.fixture
def api(client):
    return Api(client)


def good(response, part=wire.subscription, status=200):
    assert response.status_code == status, response.content
    return validate(part, response.json())


@pytest.mark.parametrize(
    "body",
    [{**OLD, "headers": SECRET_HEADER}, {**NEW, "target": {**NEW["target"], "headers": SECRET_HEADER}}],
    ids=["deprecated form", "target"],
)
def test_both_forms_are_answered_alike(api, body):
    response = api.post("/api/subscriptions", body)

    answer = good(response, status=201)
    assert response["Location"] == f"/api/subscriptions/{answer['id']}"
    assert answer["callbackUrl"] == answer["target"]["callbackUrl"] == URL
    assert answer["headers"] == answer["target"]["headers"] == SECRET_HEADER
    assert answer["signingSecret"].startswith("whsec_")
    read = good(api.get(f"/api/subscriptions/{answer['id']}"))
    assert read == {name: value for name, value in answer.items() if name != "signingSecret"}
    assert good(api.get("/api/subscriptions"), wire.subscriptions) == {"subscriptions": [read], "total": 1}


def test_nothing_secret_is_stored_readable(api):
    answer = good(
        api.post("/api/subscriptions", {**OLD, "headers": SECRET_HEADER}, **{"Idempotency-Key": "k"}),
        status=201,
    )

    row = Subscription.objects.values().get()
    kept = IdempotencyKey.objects.values().get()
    for stored in (json.dumps(row, default=str), json.dumps(kept, default=str)):
        assert "topsecret" not in stored
        assert answer["signingSecret"].removeprefix("whsec_") not in stored


def test_a_repeated_request_subscribes_once_and_does_not_tell_the_secret_again(api):
    first, second = (
        good(api.post("/api/subscriptions", OLD, **{"Idempotency-Key": "k"}), status=201) for _ in range(2)
    )

    assert Subscription.objects.count() == 1
    assert "signingSecret" in first
    assert second == {name: value for name, value in first.items() if name != "signingSecret"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "NOTHING"}, "event: is not one of GET /api/supportedevents"),
        ({"callbackUrl": None}, "body: needs one of target, callbackUrl"),
        ({"target": NEW["target"]}, "target: give either target, or callbackUrl and headers"),
        ({"callbackUrl": "http://shop.example/"}, "callbackUrl: must begin with https://"),
        (
            {"callbackUrl": "https://10.0.0.1/"},
            "callbackUrl: 10.0.0.1 is not an address of the public internet",
        ),
        ({"headers": [{"key": "Host", "value": "x"}]}, "headers[0]: Host cannot be set"),
        (
            {"headers": [{"key": "X-A", "value": "1"}, {"key": "x-a", "value": "2"}]},
            "headers[1]: x-a is there twice",
        ),
        ({"headers": []}, "headers: must have at least 1 entry"),
        ({"surprise": 1}, "surprise: is not a known property"),
        (
            {"contexts": [{"type": "FACILITY_GROUP", "values": ["x"]}]},
            "contexts[0].type: must be FACILITY: there are no groups",
        ),
    ],
)
def test_what_cannot_be_subscribed_is_refused_with_its_path(api, change, message):
    response = api.post("/api/subscriptions", {**OLD, **change})

    assert (response.status_code, described(response)) == (400, [message])
    assert not Subscription.objects.exists()


def test_targets_of_other_kinds_are_refused(api):
    target = {"type": "GOOGLE_CLOUD_PUB_SUB", "projectId": "p", "topicId": "t"}

    response = api.post("/api/subscriptions", {**NEW, "target": target})

    assert (response.status_code, described(response)) == (400, ["target.type: must be one of WEBHOOK"])


def test_a_name_that_leads_inside_is_refused(api, monkeypatch):
    monkeypatch.setattr(
        targets.socket, "getaddrinfo", lambda *_args, **_kw: [(2, 1, 6, "", ("192.168.0.1", 443))]
    )

    response = api.post("/api/subscriptions", {**OLD, "callbackUrl": "https://inside.example/"})

    assert response.status_code == 400
    assert "192.168.0.1 is not an address of the public internet" in described(response)[0]


def test_a_facility_is_named_by_id_or_urn(api):
    facility = FacilityFactory(tenant_facility_id="A 1")
    for value in (str(facility.pk), "urn:fft:facility:tenantFacilityId:A%201"):
        contexts = [{"type": "FACILITY", "values": [value]}]
        answer = good(api.post("/api/subscriptions", {**OLD, "contexts": contexts}), status=201)
        assert answer["contexts"] == [{"type": "FACILITY", "values": [str(facility.pk)]}]
    response = api.post(
        "/api/subscriptions", {**OLD, "contexts": [{"type": "FACILITY", "values": [str(uuid.uuid4())]}]}
    )
    assert response.status_code == 400
    assert described(response)[0].startswith("contexts[0].facilityRef:")


def test_deleting_answers_the_subscription_and_it_is_gone(api):
    address = f"/api/subscriptions/{of_my_channel().pk}"

    subscription = good(api.get(address))
    assert good(api.delete(address)) == subscription

    assert api.get(address).status_code == api.delete(address).status_code == 404


def of_my_channel(**fields):
    return subscribe(URL, channel=ChannelFactory(), **fields)


def test_a_token_sees_the_subscriptions_of_its_channel_only(api):
    own, foreign = of_my_channel(), subscribe(URL, channel=ChannelFactory(key="other", name="Other"))
    general = subscribe(URL)

    found = good(api.get("/api/subscriptions"), wire.subscriptions)["subscriptions"]

    assert [entry["id"] for entry in found] == [str(own.pk)]
    for row in (foreign, general):
        assert api.get(f"/api/subscriptions/{row.pk}").status_code == 404


def test_a_person_with_the_permission_everywhere_sees_all(client):
    token = signin.access_token(staff("administrator"), now=timezone.now())
    of_my_channel()
    subscribe(URL)

    assert good(Api(client, token).get("/api/subscriptions"), wire.subscriptions)["total"] == 2


def test_a_token_of_some_facilities_subscribes_to_these_and_sees_no_others(client):
    mine, other = FacilityFactory(), FacilityFactory()
    api = Api(client, api_token(facilities=[mine]))
    everywhere, both = of_my_channel(), of_my_channel(facilities=[mine, other])

    answer = good(api.post("/api/subscriptions", OLD), status=201)

    assert answer["contexts"] == [{"type": "FACILITY", "values": [str(mine.pk)]}]
    found = good(api.get("/api/subscriptions"), wire.subscriptions)["subscriptions"]
    assert [entry["id"] for entry in found] == [answer["id"]]
    for row in (everywhere, both):
        assert api.delete(f"/api/subscriptions/{row.pk}").status_code == 404
    contexts = [{"type": "FACILITY", "values": [str(other.pk)]}]
    assert api.post("/api/subscriptions", {**OLD, "contexts": contexts}).status_code == 400


def test_a_token_that_may_only_read_sees_no_values_of_headers(client):
    subscription = of_my_channel(headers=[("Authorization", "Bearer topsecret")])
    reader = Api(client, api_token(ApiToken.Scope.READ))

    answer = good(reader.get(f"/api/subscriptions/{subscription.pk}"))

    assert answer["headers"] == answer["target"]["headers"] == [{"key": "Authorization", "value": "***"}]
    assert reader.post("/api/subscriptions", OLD).status_code == 403


def test_pause_and_resume(api):
    subscription = of_my_channel()
    address = f"/api/subscriptions/{subscription.pk}"

    for _ in range(2):
        assert good(api.post(f"{address}/pause", {}))["status"] == "PAUSED"
    assert good(api.get(address))["paused"]
    for _ in range(2):
        assert good(api.post(f"{address}/resume", {}))["status"] == "ACTIVE"


def test_a_new_secret_is_shown_once(api):
    subscription = of_my_channel()

    answer = good(api.post(f"/api/subscriptions/{subscription.pk}/secret", {}))

    assert answer["signingSecret"] != subscription.plain_secret
    row = Subscription.objects.get()
    assert row.secrets_at(timezone.now()) == [answer["signingSecret"], subscription.plain_secret]


def test_replay_from_a_point_in_time(api):
    with Receiver().listening() as receiver:
        subscription = subscribe(receiver.url, channel=ChannelFactory())
        begin = timezone.now()
        happened(subscription, now=begin - datetime.timedelta(hours=2))
        happened(subscription, count=2, now=begin)
        delivering.run()
        address = f"/api/subscriptions/{subscription.pk}/replay"
        answer = good(
            api.post(address, {"from": (begin - datetime.timedelta(hours=1)).isoformat()}), wire.replayed
        )
        assert answer == {"events": 2}
        until = (begin - datetime.timedelta(hours=1)).isoformat()
        answer = good(api.post(address, {"from": "2020-01-01T00:00:00Z", "until": until}), wire.replayed)
        assert answer == {"events": 1}

        delivering.run()

    assert receiver.count == 6
    assert api.post(address, {}).status_code == 400


def test_too_much_to_replay_is_refused(api, monkeypatch):
    monkeypatch.setattr(services, "MOST_REPLAYED", 1)
    subscription = of_my_channel()
    happened(subscription, count=2)

    response = api.post(f"/api/subscriptions/{subscription.pk}/replay", {"from": "2020-01-01T00:00:00Z"})

    assert (response.status_code, response.json()[0]["summary"]) == (422, "TOO_MANY_EVENTS")


def test_the_log_shows_what_was_told_and_what_came_back(api):
    answers = iter([(500, {}, b"no"), (201, {}, b"yes")])
    with Receiver(answer=lambda call: next(answers)).listening() as receiver:
        subscription = subscribe(receiver.url, channel=ChannelFactory())
        order = happened(subscription)
        delivering.run()
        happened(subscription)
        delivering.run()
    address = f"/api/subscriptions/{subscription.pk}/deliveries"

    newest, oldest = good(api.get(address), wire.deliveries)["deliveries"]

    assert (newest["status"], newest["attempts"][0]["statusCode"]) == ("DELIVERED", 201)
    assert newest["attempts"][0]["response"] == "yes"
    assert (oldest["status"], oldest["orderRef"], oldest["sequence"]) == ("PENDING", str(order.pk), 1)
    assert oldest["attempts"][0]["error"] == "The answer is 500."
    assert oldest["eventId"] == str(WebhookEvent.objects.first().uuid)
    for query in ({"status": "PENDING"}, {"status[0]": "PENDING"}, {"status": "PENDING,NOTHING"}):
        assert good(api.get(address, query), wire.deliveries) == {"deliveries": [oldest], "total": 1}
    assert good(api.get(address, {"status": "NOTHING"}), wire.deliveries)["total"] == 0
    page = good(api.get(address, {"size": 1, "startAfterId": newest["id"]}), wire.deliveries)
    assert page == {"deliveries": [oldest], "total": 2}
    assert api.get(address, {"startAfterId": "x"}).status_code == 400
    assert api.get(address, {"size": "0"}).status_code == 400


def test_lists_cost_the_same_for_one_and_three_rows(api):
    subscription = of_my_channel()
    happened(subscription)
    addresses = ["/api/subscriptions", f"/api/subscriptions/{subscription.pk}/deliveries"]
    api.get(addresses[0])  # the token is known from then on
    counts = []
    for _ in range(2):
        for address in addresses:
            with CaptureQueriesContext(connection) as queries:
                assert api.get(address).status_code == 200
            counts.append(len(queries))
        for _row in range(2):
            happened(subscription)
            of_my_channel()

    assert counts[:2] == counts[2:]


def test_subscriptions_page_in_stable_order(api):
    rows = [of_my_channel() for _number in range(5)]
    found, after = [], None
    while True:
        page = good(
            api.get("/api/subscriptions", {"size": 2, **({"startAfterId": after} if after else {})}),
            wire.subscriptions,
        )["subscriptions"]
        found += [entry["id"] for entry in page]
        if len(page) < 2:
            break
        after = found[-1]

    assert found == sorted((str(row.pk) for row in rows), reverse=True)


@pytest.mark.parametrize("step", ["pause", "resume", "replay", "secret", "deliveries"])
def test_steps_of_what_is_not_there_answer_404(api, step):
    call = (
        api.get
        if step == "deliveries"
        else lambda path: api.post(path, {"from": "2020-01-01T00:00:00Z"} if step == "replay" else {})
    )

    assert call(f"/api/subscriptions/{uuid.uuid4()}/{step}").status_code == 404


def test_supported_events_are_those_of_the_clients_and_can_be_subscribed(api):
    answer = good(api.get("/api/supportedevents"), wire.supported_events)

    names = [entry["event"] for entry in answer["supportedEvents"]]
    assert len(names) == len(set(names))
    assert {
        *("ORDER_CREATED", "PICK_JOB_CREATED", "PICK_JOB_PICKING_FINISHED"),
        *("HANDOVERJOB_CREATED", "HANDOVERJOB_HANDED_OVER"),
    } <= set(names)
    for name in names:
        good(api.post("/api/subscriptions", {**OLD, "event": name}), status=201)


def test_the_secret_of_the_answer_verifies_what_is_received(api):
    with Receiver().listening() as receiver:
        secret = good(api.post("/api/subscriptions", {**OLD, "callbackUrl": receiver.url}), status=201)[
            "signingSecret"
        ]
        subscription = Subscription.objects.get()
        happened(subscription)
        delivering.run()

    Webhook(secret).verify(receiver.calls[0].body, receiver.calls[0].headers)
