from django.urls import path

from orders import api

urlpatterns = [
    path("orders", api.OrderList.as_view(), name="api-orders"),
    path("orders/<uuid:pk>", api.OrderDetail.as_view(), name="api-order"),
]
