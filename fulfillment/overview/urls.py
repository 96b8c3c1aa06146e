from django.urls import path

from fulfillment.overview import floor_views, views

app_name = "overview"
urlpatterns = [
    path("", views.home, name="home"),
    path("f/<slug:slug>/", views.facility_home, name="facility-home"),
    path("f/<slug:slug>/floor/", floor_views.floor, name="floor"),
    path("hq/orders/", views.order_list, name="order-list"),
    path("hq/orders/<uuid:pk>/", views.order_detail, name="order-detail"),
    path("hq/orders/<uuid:pk>/cancel/", views.order_cancel, name="order-cancel"),
    path("hq/orders/<uuid:pk>/unlock/", views.order_unlock, name="order-unlock"),
    path("hq/work/", views.work_list, name="work-list"),
    path("hq/work/retry/", views.work_retry_all, name="work-retry-all"),
    path("hq/work/<int:pk>/retry/", views.work_retry, name="work-retry"),
]
