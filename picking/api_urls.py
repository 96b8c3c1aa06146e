from django.urls import path

from picking import api

urlpatterns = [
    path("pickjobs", api.PickJobList.as_view(), name="api-pick-jobs"),
    path("pickjobs/search", api.PickJobSearch.as_view(), name="api-pick-job-search"),
    path("pickjobs/<uuid:pk>", api.PickJobDetail.as_view(), name="api-pick-job"),
    path("pickjobs/<uuid:pk>/actions", api.PickJobActions.as_view(), name="api-pick-job-actions"),
    path("pickjobs/<uuid:pk>/loadunits", api.PickJobLoadUnits.as_view(), name="api-pick-job-load-units"),
    path("loadunits", api.LoadUnitList.as_view(), name="api-load-units"),
]
