from django.urls import path

from . import views

app_name = "routing"
urlpatterns = [
    path("", views.open_plans, name="open-plans"),
    path("orders/<uuid:pk>/", views.decision, name="decision"),
    path("orders/<uuid:pk>/draft/", views.decision_draft, name="decision-draft"),
    path("orders/<uuid:pk>/address/", views.order_address, name="order-address"),
    path("orders/<uuid:pk>/assign/", views.order_assign, name="order-assign"),
    path("plans/<uuid:pk>/reroute/", views.plan_reroute, name="plan-reroute"),
    path("retry/", views.retry_all, name="retry-all"),
    path("draft/", views.trial_list, name="trial-list"),
    path("draft/weights/", views.draft_weigh, name="draft-weigh"),
    path("draft/publish/", views.draft_publish, name="draft-publish"),
    path("revisions/<int:number>/use/", views.revision_use, name="revision-use"),
    path("draft/<int:pk>/", views.trial_detail, name="trial-detail"),
    path("orders/<uuid:pk>/route/", views.order_route, name="order-route"),
]
