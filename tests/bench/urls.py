"""The product's addresses and, beside them, the floor that an import is measured against."""

from django.urls import path

from fulfillment.urls import urlpatterns as product
from tests.bench.floor import place_bare, store_bare

urlpatterns = [path("floor/orders", place_bare), path("floor/deliveries", store_bare), *product]
