from django.urls import path

from . import views

app_name = "picking"
urlpatterns = [
    path("pick/", views.job_list, name="job-list"),
    path("pick/<uuid:pk>/", views.job_detail, name="job-detail"),
    path("pick/<uuid:pk>/start/", views.job_start, name="job-start"),
    path("pick/<uuid:pk>/take-over/", views.job_take_over, name="job-take-over"),
    path("pick/<uuid:pk>/pause/", views.job_pause, name="job-pause"),
    path("pick/<uuid:pk>/act/", views.job_act, name="job-act"),
    path("scans/", views.scan, name="scan"),
]
