from django.urls import path

from . import load_views, pickup_views, views

app_name = "shipping"
urlpatterns = [
    path("shipping/", views.shipment_list, name="shipment-list"),
    path("shipping/problems/", views.problem_list, name="problem-list"),
    path("shipping/packed/<uuid:pk>/", views.pack_done, name="pack-done"),
    path("shipping/packed/<uuid:pk>/documents/", views.pack_documents, name="pack-documents"),
    path("shipping/packed/<uuid:pk>/print/", views.pack_print, name="pack-print"),
    path("shipping/<uuid:pk>/request/", views.shipment_request, name="shipment-request"),
    path("shipping/parcels/<uuid:pk>/", views.parcel_detail, name="parcel-detail"),
    path("shipping/parcels/<uuid:pk>/request/", views.parcel_request, name="parcel-request"),
    path("shipping/parcels/<uuid:pk>/number/", views.parcel_number, name="parcel-number"),
    path("shipping/parcels/<uuid:pk>/cancel/", views.parcel_cancel, name="parcel-cancel"),
    path("shipping/documents/<uuid:pk>/", views.document, name="document"),
    path("shipping/documents/<uuid:pk>/print/", views.document_print, name="document-print"),
    path("handover/", views.handover_list, name="handover-list"),
    path("handover/scan/", views.handover_scan, name="handover-scan"),
    path("handover/loads/", load_views.load_list, name="load-list"),
    path("handover/loads/open/", load_views.load_open, name="load-open"),
    path("handover/loads/scans/", load_views.load_scan, name="load-scan"),
    path("handover/loads/<uuid:pk>/", load_views.load_detail, name="load-detail"),
    path("handover/loads/<uuid:pk>/add/", load_views.load_add, name="load-add"),
    path("handover/loads/<uuid:pk>/off/<uuid:parcel_pk>/", load_views.load_take_off, name="load-take-off"),
    path("handover/loads/<uuid:pk>/close/", load_views.load_close, name="load-close"),
    path("handover/loads/<uuid:pk>/reopen/", load_views.load_reopen, name="load-reopen"),
    path("handover/loads/<uuid:pk>/ask/", load_views.load_ask_again, name="load-ask-again"),
    path("handover/<uuid:pk>/", views.handover_detail, name="handover-detail"),
    path("handover/<uuid:pk>/show/", pickup_views.handover_show, name="handover-show"),
    path("handover/<uuid:pk>/vouch/", pickup_views.handover_vouch, name="handover-vouch"),
    path("handover/<uuid:pk>/fetch/", pickup_views.handover_fetch, name="handover-fetch"),
    path("handover/<uuid:pk>/put/", pickup_views.handover_put, name="handover-put"),
    path("handover/<uuid:pk>/confirm/", views.handover_confirm, name="handover-confirm"),
    path("handover/<uuid:pk>/cancel/", views.handover_cancel, name="handover-cancel"),
    path("handover/<uuid:pk>/revert/", views.handover_revert, name="handover-revert"),
]
