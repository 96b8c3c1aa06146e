from django.urls import path

from . import api, routing_api, sourcing_api, subscription_api

urlpatterns = [
    path("routingplans", api.PlanList.as_view(), name="api-plans"),
    path("routingplans/search", api.PlanSearch.as_view(), name="api-plan-search"),
    path("routingplans/<uuid:pk>", api.PlanDetail.as_view(), name="api-plan"),
    path(
        "routingplans/<uuid:pk>/decisionlogs/<int:run>", api.PlanDecision.as_view(), name="api-decision-log"
    ),
    path("process", api.ProcessLookup.as_view(), name="api-process-lookup"),
    path("processes/search", api.ProcessSearch.as_view(), name="api-process-search"),
    path("processes/retrynotroutable", routing_api.RetryNotRoutable.as_view(), name="api-retry-not-routable"),
    path("processes/<uuid:pk>/reroute", routing_api.ProcessReroute.as_view(), name="api-process-reroute"),
    path("processes/<uuid:pk>/actions", routing_api.ProcessActions.as_view(), name="api-process-actions"),
    path(
        "reroutedescriptions",
        routing_api.RerouteDescriptionList.as_view(),
        name="api-reroute-descriptions",
    ),
    path("routing/sourcingoptions", sourcing_api.SourcingOptions.as_view(), name="api-sourcing-options"),
    path("routing/commands/reroute", routing_api.RerouteCommand.as_view(), name="api-reroute"),
    path("processes/<uuid:pk>", api.ProcessDetail.as_view(), name="api-process"),
    path("processes/<uuid:pk>/historylogs", api.ProcessHistory.as_view(), name="api-process-history"),
    path("supportedevents", subscription_api.SupportedEvents.as_view(), name="api-supported-events"),
    path("subscriptions", subscription_api.SubscriptionList.as_view(), name="api-subscriptions"),
    path("subscriptions/<uuid:pk>", subscription_api.SubscriptionDetail.as_view(), name="api-subscription"),
    *(
        path(f"subscriptions/<uuid:pk>/{name}", view.as_view(), name=f"api-subscription-{name}")
        for name, view in {
            "pause": subscription_api.SubscriptionPause,
            "resume": subscription_api.SubscriptionResume,
            "replay": subscription_api.SubscriptionReplay,
            "secret": subscription_api.SubscriptionSecret,
            "deliveries": subscription_api.SubscriptionDeliveries,
        }.items()
    ),
]
