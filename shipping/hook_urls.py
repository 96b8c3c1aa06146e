from django.urls import path

from . import hooks

urlpatterns = [path("carriers/<uuid:pk>", hooks.carrier_hook, name="carrier-hook")]
