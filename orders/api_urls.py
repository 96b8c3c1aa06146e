from django.urls import path

from orders import api

urlpatterns = [
    path("orders", api.OrderList.as_view(), name="api-orders"),
    path("orders/search", api.OrderSearch.as_view(), name="api-order-search"),
    path("orders/bulk", api.BulkList.as_view(), name="api-order-bulks"),
    path("orders/bulk/<uuid:pk>", api.BulkDetail.as_view(), name="api-order-bulk"),
    path("orders/<uuid:pk>", api.OrderDetail.as_view(), name="api-order"),
    path("orders/<uuid:pk>/actions", api.OrderActions.as_view(), name="api-order-actions"),
]
