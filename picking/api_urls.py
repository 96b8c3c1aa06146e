from django.urls import path

from picking import api, load_unit_api, run_api

urlpatterns = [
    path("pickjobs", api.PickJobList.as_view(), name="api-pick-jobs"),
    path("pickjobs/search", api.PickJobSearch.as_view(), name="api-pick-job-search"),
    path("pickjobs/<uuid:pk>", api.PickJobDetail.as_view(), name="api-pick-job"),
    path("pickjobs/<uuid:pk>/actions", api.PickJobActions.as_view(), name="api-pick-job-actions"),
    path(
        "pickjobs/<uuid:pk>/loadunits",
        load_unit_api.PickJobLoadUnits.as_view(),
        name="api-pick-job-load-units",
    ),
    path("pickruns", run_api.PickRunList.as_view(), name="api-pick-runs"),
    path("pickruns/<uuid:pk>", run_api.PickRunDetail.as_view(), name="api-pick-run"),
    path("pickruns/<uuid:pk>/actions", run_api.PickRunActions.as_view(), name="api-pick-run-actions"),
    path("pickruns/<uuid:pk>/pickjobs", run_api.PickRunJobs.as_view(), name="api-pick-run-jobs"),
    path("loadunits", load_unit_api.LoadUnitList.as_view(), name="api-load-units"),
    path("loadunits/<uuid:pk>", load_unit_api.LoadUnitDetail.as_view(), name="api-load-unit"),
]
