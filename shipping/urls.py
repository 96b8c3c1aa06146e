from django.urls import path

from . import views

app_name = "shipping"
urlpatterns = [
    path("shipping/", views.shipment_list, name="shipment-list"),
    path("shipping/packed/<uuid:pk>/", views.pack_done, name="pack-done"),
    path("shipping/packed/<uuid:pk>/documents/", views.pack_documents, name="pack-documents"),
    path("shipping/<uuid:pk>/request/", views.shipment_request, name="shipment-request"),
    path("shipping/parcels/<uuid:pk>/", views.parcel_detail, name="parcel-detail"),
    path("shipping/parcels/<uuid:pk>/request/", views.parcel_request, name="parcel-request"),
    path("shipping/parcels/<uuid:pk>/number/", views.parcel_number, name="parcel-number"),
    path("shipping/documents/<uuid:pk>/", views.document, name="document"),
    path("handover/", views.handover_list, name="handover-list"),
    path("handover/scan/", views.handover_scan, name="handover-scan"),
    path("handover/<uuid:pk>/", views.handover_detail, name="handover-detail"),
    path("handover/<uuid:pk>/confirm/", views.handover_confirm, name="handover-confirm"),
    path("handover/<uuid:pk>/cancel/", views.handover_cancel, name="handover-cancel"),
    path("handover/<uuid:pk>/revert/", views.handover_revert, name="handover-revert"),
]
