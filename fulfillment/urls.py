from django.contrib import admin
from django.contrib.auth import views as auth_views
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView

from fulfillment.core.people import SignInView, set_language
from fulfillment.core.views import api_status, healthz, offline, service_worker

urlpatterns = [
    path("", include("fulfillment.overview.urls")),
    path("", include("fulfillment.core.urls")),
    path("", include("orders.sources.urls")),
    path("f/<slug:slug>/", include("picking.urls")),
    path("f/<slug:slug>/", include("packing.urls")),
    path("f/<slug:slug>/", include("shipping.urls")),
    path("hooks/", include("shipping.hook_urls")),
    path("returns/", include("shipping.slip_urls")),
    path("hq/routing/", include("routing.urls")),
    path("api/", include("fulfillment.core.api_urls")),
    path("api/", include("orders.api_urls")),
    path("api/", include("fulfillment.overview.api_urls")),
    path("api/", include("picking.api_urls")),
    path("api/", include("packing.api_urls")),
    path("api/", include("shipping.api_urls")),
    path("", include("fulfillment.core.api.signin_urls")),
    path("api/status", api_status, name="api-status"),
    path("api/openapi.json", SpectacularJSONAPIView.as_view(), name="api-document"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="api-document"), name="api-docs"),
    path(
        "login/",
        SignInView.as_view(),
        name="login",
    ),
    path("logout/", auth_views.LogoutView.as_view(), name="logout"),
    path("i18n/setlang/", set_language, name="set_language"),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("sw.js", service_worker, name="service-worker"),
    path("offline/", offline, name="offline"),
]
