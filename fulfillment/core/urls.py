from django.urls import path

from . import people, printing, shops, views

app_name = "core"
urlpatterns = [
    path("hq/shops/", shops.shop_list, name="shop-list"),
    path("hq/shops/connect/", shops.shop_connect, name="shop-connect"),
    path("hq/shops/<int:pk>/", shops.shop_detail, name="shop-detail"),
    path("hq/shops/<int:pk>/revoke/", shops.shop_revoke, name="shop-revoke"),
    path("enter/", people.enter, name="enter"),
    path("f/<slug:slug>/me/", people.preferences, name="preferences"),
    path("f/<slug:slug>/me/pin/", people.pin_set, name="pin-set"),
    path("f/<slug:slug>/me/badge/", people.badge_new, name="badge-new"),
    path("f/<slug:slug>/lock/", people.lock, name="lock"),
    path("f/<slug:slug>/devices/", people.device_list, name="device-list"),
    path("f/<slug:slug>/devices/pair/", people.device_pair, name="device-pair"),
    path("f/<slug:slug>/devices/<int:pk>/revoke/", people.device_revoke, name="device-revoke"),
    path("f/<slug:slug>/stock/", views.stock_list, name="stock-list"),
    path("f/<slug:slug>/stock/receive/", views.goods_receipt, name="goods-receipt"),
    path("f/<slug:slug>/stock/<uuid:pk>/", views.stock_movements, name="stock-movements"),
    path("f/<slug:slug>/stock/<uuid:pk>/correct/", views.stock_correct, name="stock-correct"),
    path("f/<slug:slug>/printing/", printing.print_list, name="print-list"),
    path("f/<slug:slug>/printing/here/", printing.station_choose, name="print-here"),
    path("f/<slug:slug>/printing/jobs/<int:pk>/retry/", printing.print_retry, name="print-retry"),
    path("f/<slug:slug>/printing/stations/", printing.station_add, name="station-add"),
    path(
        "f/<slug:slug>/printing/stations/<int:number>/secret/", printing.station_secret, name="station-secret"
    ),
    path(
        "f/<slug:slug>/printing/stations/<int:number>/give-up/",
        printing.station_give_up,
        name="station-give-up",
    ),
    path("print-agent/next", printing.agent_next, name="agent-next"),
    path("print-agent/jobs/<int:pk>/file", printing.agent_file, name="agent-file"),
    path("print-agent/jobs/<int:pk>/done", printing.agent_done, name="agent-done"),
    path("print-agent/jobs/<int:pk>/failed", printing.agent_failed, name="agent-failed"),
]
