from django.urls import path

from . import views

app_name = "sources"
urlpatterns = [
    path("sources/<uuid:pk>/", views.webhook, name="webhook"),
    path("hq/sources/", views.source_list, name="source-list"),
    path("hq/sources/<uuid:pk>/tables/", views.tables, name="connection-tables"),
    path("hq/sources/deliveries/<uuid:pk>/", views.delivery_detail, name="delivery-detail"),
    path("hq/sources/deliveries/<uuid:pk>/retry/", views.delivery_retry, name="delivery-retry"),
    path("hq/sources/deliveries/<uuid:pk>/close/", views.delivery_close, name="delivery-close"),
    path("hq/sources/reports/<uuid:pk>/retry/", views.report_retry, name="report-retry"),
    path("hq/sources/reports/<uuid:pk>/close/", views.report_close, name="report-close"),
]
