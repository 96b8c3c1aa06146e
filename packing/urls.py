from django.urls import path

from . import views

app_name = "packing"
urlpatterns = [
    path("pack/", views.job_list, name="job-list"),
    path("pack/next/", views.next_job, name="next-job"),
    path("pack/scans/", views.scan, name="scan"),
    path("pack/runs/<uuid:pk>/", views.run_sort, name="run-sort"),
    path("pack/<uuid:pk>/", views.job_detail, name="job-detail"),
    path("pack/<uuid:pk>/start/", views.job_start, name="job-start"),
    path("pack/<uuid:pk>/assign/", views.job_assign, name="job-assign"),
    path("pack/<uuid:pk>/take-over/", views.job_take_over, name="job-take-over"),
    path("pack/<uuid:pk>/pause/", views.job_pause, name="job-pause"),
    path("pack/<uuid:pk>/act/", views.job_act, name="job-act"),
    path("pack/<uuid:pk>/all/", views.job_pack_all, name="job-pack-all"),
    path("pack/<uuid:pk>/record/", views.job_record, name="job-record"),
    path("pack/<uuid:pk>/close/", views.job_close, name="job-close"),
    path("pack/<uuid:pk>/packages/", views.package_add, name="package-add"),
    path("pack/<uuid:pk>/packages/<uuid:package_pk>/remove/", views.package_remove, name="package-remove"),
    path("pack/<uuid:pk>/packages/<uuid:package_pk>/box/", views.package_box, name="package-box"),
    path("pack/<uuid:pk>/packages/<uuid:package_pk>/weight/", views.package_weight, name="package-weight"),
]
