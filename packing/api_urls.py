from django.urls import path

from packing import api, container_api

urlpatterns = [
    path("packjobs", api.PackJobList.as_view(), name="api-pack-jobs"),
    path("packjobs/search", api.PackJobSearch.as_view(), name="api-pack-job-search"),
    path("packjobs/<uuid:pk>", api.PackJobDetail.as_view(), name="api-pack-job"),
    path("packjobs/<uuid:pk>/actions", api.PackJobActions.as_view(), name="api-pack-job-actions"),
    path(
        "packjobs/<uuid:pk>/targetcontainers",
        container_api.ContainerList.as_view(),
        name="api-target-containers",
    ),
    path(
        "packjobs/<uuid:pk>/targetcontainers/<uuid:package_pk>",
        container_api.ContainerDetail.as_view(),
        name="api-target-container",
    ),
]
