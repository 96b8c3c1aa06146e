from django.urls import path

from . import views

app_name = "routing"
urlpatterns = [
    path("", views.open_plans, name="open-plans"),
    path("orders/<uuid:pk>/", views.decision, name="decision"),
    path("orders/<uuid:pk>/draft/", views.decision_draft, name="decision-draft"),
    path("draft/", views.trial_list, name="trial-list"),
    path("draft/<int:pk>/", views.trial_detail, name="trial-detail"),
    path("orders/<uuid:pk>/route/", views.order_route, name="order-route"),
]
