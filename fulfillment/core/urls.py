from django.urls import path

from . import shops, views

app_name = "core"
urlpatterns = [
    path("hq/shops/", shops.shop_list, name="shop-list"),
    path("hq/shops/connect/", shops.shop_connect, name="shop-connect"),
    path("hq/shops/<int:pk>/", shops.shop_detail, name="shop-detail"),
    path("hq/shops/<int:pk>/revoke/", shops.shop_revoke, name="shop-revoke"),
    path("f/<slug:slug>/stock/", views.stock_list, name="stock-list"),
    path("f/<slug:slug>/stock/receive/", views.goods_receipt, name="goods-receipt"),
    path("f/<slug:slug>/stock/<uuid:pk>/", views.stock_movements, name="stock-movements"),
    path("f/<slug:slug>/stock/<uuid:pk>/correct/", views.stock_correct, name="stock-correct"),
]
