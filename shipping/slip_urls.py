from django.urls import path

from . import slip_views

urlpatterns = [
    path("", slip_views.slip_enter, name="slip-enter"),
    path("<str:code>/", slip_views.slip, name="slip"),
]
