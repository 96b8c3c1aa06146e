from django.urls import path

from . import views

app_name = "core"
urlpatterns = [
    path("f/<slug:slug>/stock/", views.stock_list, name="stock-list"),
    path("f/<slug:slug>/stock/receive/", views.goods_receipt, name="goods-receipt"),
    path("f/<slug:slug>/stock/<uuid:pk>/", views.stock_movements, name="stock-movements"),
    path("f/<slug:slug>/stock/<uuid:pk>/correct/", views.stock_correct, name="stock-correct"),
]
