from django.urls import path

from . import views

app_name = "routing"
urlpatterns = [
    path("", views.open_plans, name="open-plans"),
    path("orders/<uuid:pk>/", views.decision, name="decision"),
    path("orders/<uuid:pk>/route/", views.order_route, name="order-route"),
]
