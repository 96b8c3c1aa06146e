"""Subscriptions to events in the API."""

import datetime

from django.db.models import Prefetch
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from fulfillment.core.api import paging
from fulfillment.core.api.access import Access
from fulfillment.core.api.document import PAGE, operation
from fulfillment.core.api.idempotency import once
from fulfillment.core.api.references import facility_in_body
from fulfillment.core.api.schema import Text, validate
from fulfillment.core.api.views import ApiView
from fulfillment.core.models import ApiToken, Facility, Permission

from . import publications, services
from . import subscription_wire as wire
from .models import Subscription, WebhookAttempt, WebhookDelivery

SEE = Access(ApiToken.Scope.READ, Permission.CONNECT)
SUBSCRIBE = Access(ApiToken.Scope.ORDERS, Permission.CONNECT)
MOST_ATTEMPTS = 20  # of a delivery, in the list


class SubscriptionView(ApiView):
    """What the views of subscriptions share: a token sees those of its channel; with facilities, those of no others."""

    def subscriptions(self):
        caller = self.request.user
        found = Subscription.objects.live().prefetch_related("facilities")
        if isinstance(caller, ApiToken):
            found = found.of_channel(caller.channel)
        return found if self.facility_ids is None else found.within(self.facility_ids)

    def subscription(self, pk):
        return get_object_or_404(self.subscriptions(), pk=pk)

    def represent(self, row):
        caller = self.request.user
        may_set = not isinstance(caller, ApiToken) or SUBSCRIBE.scope in caller.scopes
        return wire.represent(row, shows_values=may_set)


class SubscriptionList(SubscriptionView):
    """GET and POST /api/subscriptions"""

    access = {"GET": SEE, "POST": SUBSCRIBE}

    @operation(
        "listSubscriptions", "Subscriptions, the newest first", query=PAGE, answers={200: wire.subscriptions}
    )
    def get(self, request):
        rows, total = paging.page(request, self.subscriptions())
        return Response({"subscriptions": [self.represent(row) for row in rows], "total": total})

    @operation(
        "createSubscription",
        "Let an address hear of an event; the signing secret is in this answer only",
        body=wire.subscription_for_creation,
        answers={201: wire.subscription},
        errors=(409, 422),
    )
    def post(self, request):
        data = validate(wire.subscription_for_creation, request.data)
        wanted = data.get("target") or data
        url = wanted["callbackUrl"]
        headers = [(entry["key"], entry["value"]) for entry in wanted.get("headers", ())]
        path = "target." if "target" in data else ""
        services.check_target(url, headers, path=f"{path}callbackUrl", header_path=f"{path}headers")
        services.check_name(url)
        facilities = self.facilities_of(data)
        caller = request.user
        fresh = {}

        def step(is_second):
            row, fresh["secret"] = services.subscribe(
                name=data["name"],
                event=data["event"],
                callback_url=url,
                headers=headers,
                channel=caller.channel if isinstance(caller, ApiToken) else None,
                facilities=facilities,
                by=caller,
                now=timezone.now(),
            )
            location = reverse("api-subscription", args=[row.pk])
            # What is kept for a repeated request: neither the secret nor the values of headers.
            answer = wire.represent(row, shows_values=False)
            return Response(answer, status=201, headers={"Location": location})

        response = once(request, step)
        if row := self.subscriptions().filter(pk=response.data["id"]).first():
            response.data = self.represent(row)
        if secret := fresh.get("secret"):
            response.data["signingSecret"] = secret
        return response

    def facilities_of(self, data):
        """The facilities of the contexts; without any those that the caller is limited to."""
        named = [
            facility_in_body(self, {"facilityRef": value}, f"contexts[{index}].")
            for index, entry in enumerate(data.get("contexts", ()))
            for value in entry["values"]
        ]
        if named or self.facility_ids is None:
            return named
        return list(Facility.objects.filter(pk__in=self.facility_ids))


class SubscriptionDetail(SubscriptionView):
    """GET and DELETE /api/subscriptions/{id}"""

    access = {"GET": SEE, "DELETE": SUBSCRIBE}

    @operation("getSubscription", "One subscription", answers={200: wire.subscription}, errors=(404,))
    def get(self, request, pk):
        return Response(self.represent(self.subscription(pk)))

    @operation("deleteSubscription", "Call no more", answers={200: wire.subscription}, errors=(404,))
    def delete(self, request, pk):
        answer = self.represent(self.subscription(pk))
        services.unsubscribe(pk, now=timezone.now())
        return Response(answer)


class SubscriptionStep(SubscriptionView):
    access = {"POST": SUBSCRIBE}

    def run(self, request, pk, step):
        """Run a step of a subscription once and answer with it."""
        validate(wire.nothing, request.data or {})
        self.subscription(pk)

        def answer(is_second):
            step(pk, now=timezone.now())
            return Response(wire.represent(self.subscription(pk), shows_values=False))

        response = once(request, answer)
        response.data = self.represent(self.subscription(pk))
        return response


class SubscriptionPause(SubscriptionStep):
    """POST /api/subscriptions/{id}/pause"""

    @operation(
        "pauseSubscription",
        "Call no more for now; events are kept",
        answers={200: wire.subscription},
        errors=(404, 409, 422),
    )
    def post(self, request, pk):
        return self.run(request, pk, services.pause)


class SubscriptionResume(SubscriptionStep):
    """POST /api/subscriptions/{id}/resume"""

    @operation(
        "resumeSubscription",
        "Call again, what was kept first",
        answers={200: wire.subscription},
        errors=(404, 409, 422),
    )
    def post(self, request, pk):
        return self.run(request, pk, services.resume)


class SubscriptionSecret(SubscriptionStep):
    """POST /api/subscriptions/{id}/secret"""

    @operation(
        "rotateSubscriptionSecret",
        "Sign with a new secret, for a day with the former one as well; it is in this answer only",
        answers={200: wire.subscription},
        errors=(404, 409, 422),
    )
    def post(self, request, pk):
        fresh = {}

        def step(pk, now):
            _row, fresh["secret"] = services.rotate_secret(pk, now=now)

        response = self.run(request, pk, step)
        if secret := fresh.get("secret"):
            response.data["signingSecret"] = secret
        return response


class SubscriptionReplay(SubscriptionView):
    """POST /api/subscriptions/{id}/replay"""

    access = {"POST": SUBSCRIBE}

    @operation(
        "replaySubscription",
        "Tell once more what happened since a time",
        body=wire.replay,
        answers={200: wire.replayed},
        errors=(404, 409, 422),
    )
    def post(self, request, pk):
        data = validate(wire.replay, request.data)
        self.subscription(pk)
        times = {name: datetime.datetime.fromisoformat(text.upper()) for name, text in data.items()}

        def step(is_second):
            events = services.replay(pk, since=times["from"], until=times.get("until"), now=timezone.now())
            return Response({"events": events})

        return once(request, step)


class SubscriptionDeliveries(SubscriptionView):
    """GET /api/subscriptions/{id}/deliveries"""

    access = {"GET": SEE}

    @operation(
        "listSubscriptionDeliveries",
        "What a subscription was told and what came back, the newest first",
        query={**PAGE, "status": Text(200)},
        answers={200: wire.deliveries},
        errors=(404,),
    )
    def get(self, request, pk):
        rows = WebhookDelivery.objects.filter(subscription=self.subscription(pk))
        if wanted := paging.values(request, "status"):
            rows = rows.filter(state__in=[state for state, name in wire.STATES.items() if name in wanted])
        total = rows.count()
        if after := request.query_params.get("startAfterId", ""):
            if not wire.ID.fullmatch(after):
                raise ValidationError({"startAfterId": [paging.NO_ENTRY]})
            rows = rows.filter(pk__lt=int(after))
        page = list(
            rows.select_related("event")
            .defer("event__payload")
            .order_by("-pk")
            .prefetch_related(Prefetch("attempts", WebhookAttempt.objects.order_by("-pk")))[
                : paging.read_size(request)
            ]
        )
        answer = [wire.represent_delivery(row, list(row.attempts.all())[:MOST_ATTEMPTS]) for row in page]
        return Response({"deliveries": answer, "total": total})


class SupportedEvents(ApiView):
    """GET /api/supportedevents"""

    access = {"GET": Access(ApiToken.Scope.READ, None)}

    @operation("listSupportedEvents", "The events one can subscribe to", answers={200: wire.supported_events})
    def get(self, request):
        found = [
            {"event": publication.name, "description": publication.description}
            for publication in publications.PUBLICATIONS.values()
        ]
        return Response({"supportedEvents": found})
