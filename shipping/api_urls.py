from django.urls import path

from . import api, carrier_api, note_api

urlpatterns = [
    path("carriers", carrier_api.CarrierList.as_view(), name="api-carriers"),
    path("carriers/<str:carrier>", carrier_api.CarrierDetail.as_view(), name="api-carrier"),
    path(
        "facilities/<str:facility>/carriers",
        carrier_api.FacilityCarrierList.as_view(),
        name="api-facility-carriers",
    ),
    path(
        "facilities/<str:facility>/carriers/<str:carrier>",
        carrier_api.FacilityCarrierDetail.as_view(),
        name="api-facility-carrier",
    ),
    path("shipments", api.ShipmentList.as_view(), name="api-shipments"),
    path("shipments/search", api.ShipmentSearch.as_view(), name="api-shipment-search"),
    path("shipments/<uuid:pk>", api.ShipmentDetail.as_view(), name="api-shipment"),
    path("shipments/<uuid:pk>/parcels", api.ShipmentParcels.as_view(), name="api-shipment-parcels"),
    path("parcels", api.ParcelList.as_view(), name="api-parcels"),
    path("parcels/search", api.ParcelSearch.as_view(), name="api-parcel-search"),
    path("parcels/<uuid:pk>", api.ParcelDetail.as_view(), name="api-parcel"),
    path("parcels/<uuid:pk>/actions", api.ParcelActions.as_view(), name="api-parcel-actions"),
    path("parcels/<uuid:pk>/labels/<str:document>", api.ParcelLabel.as_view(), name="api-parcel-label"),
    path("parcels/<uuid:pk>/deliverynote", api.ParcelDeliveryNote.as_view(), name="api-parcel-note"),
    path("handoverjobs", api.HandoverList.as_view(), name="api-handovers"),
    path("handoverjobs/search", api.HandoverSearch.as_view(), name="api-handover-search"),
    path("handoverjobs/<uuid:pk>", api.HandoverDetail.as_view(), name="api-handover"),
    path("handoverjobs/<uuid:pk>/actions", api.HandoverActions.as_view(), name="api-handover-actions"),
    path("pickjobs/<uuid:pk>/deliverynote", note_api.PickJobDeliveryNote.as_view(), name="api-pick-job-note"),
    path("packjobs/<uuid:pk>/deliverynote", note_api.PackJobDeliveryNote.as_view(), name="api-pack-job-note"),
    path("packjobs/<uuid:pk>/returnnote", note_api.PackJobReturnNote.as_view(), name="api-pack-job-slip"),
]
