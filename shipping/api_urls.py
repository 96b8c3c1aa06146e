from django.urls import path

from .api import carriers, documents, handovers, parcels, returns, shipments

urlpatterns = [
    path("carriers", carriers.CarrierList.as_view(), name="api-carriers"),
    path("carriers/<str:carrier>", carriers.CarrierDetail.as_view(), name="api-carrier"),
    path(
        "facilities/<str:facility>/carriers",
        carriers.FacilityCarrierList.as_view(),
        name="api-facility-carriers",
    ),
    path(
        "facilities/<str:facility>/carriers/<str:carrier>",
        carriers.FacilityCarrierDetail.as_view(),
        name="api-facility-carrier",
    ),
    path("shipments", shipments.ShipmentList.as_view(), name="api-shipments"),
    path("shipments/search", shipments.ShipmentSearch.as_view(), name="api-shipment-search"),
    path("shipments/parcels", parcels.ParcelCreation.as_view(), name="api-parcel-creation"),
    path("shipments/<uuid:pk>", shipments.ShipmentDetail.as_view(), name="api-shipment"),
    path("shipments/<uuid:pk>/actions", shipments.ShipmentActions.as_view(), name="api-shipment-actions"),
    path("shipments/<uuid:pk>/parcels", parcels.ShipmentParcels.as_view(), name="api-shipment-parcels"),
    path("parcels", parcels.ParcelList.as_view(), name="api-parcels"),
    path("parcels/search", parcels.ParcelSearch.as_view(), name="api-parcel-search"),
    path("parcels/<uuid:pk>", parcels.ParcelDetail.as_view(), name="api-parcel"),
    path("parcels/<uuid:pk>/actions", parcels.ParcelActions.as_view(), name="api-parcel-actions"),
    path("parcels/<uuid:pk>/labels/<str:document>", documents.ParcelLabel.as_view(), name="api-parcel-label"),
    path("parcels/<uuid:pk>/deliverynote", documents.ParcelDeliveryNote.as_view(), name="api-parcel-note"),
    path("handoverjobs", handovers.HandoverList.as_view(), name="api-handovers"),
    path("handoverjobs/search", handovers.HandoverSearch.as_view(), name="api-handover-search"),
    path("handoverjobs/<uuid:pk>", handovers.HandoverDetail.as_view(), name="api-handover"),
    path("handoverjobs/<uuid:pk>/actions", handovers.HandoverActions.as_view(), name="api-handover-actions"),
    path(
        "pickjobs/<uuid:pk>/deliverynote", documents.PickJobDeliveryNote.as_view(), name="api-pick-job-note"
    ),
    path(
        "packjobs/<uuid:pk>/deliverynote", documents.PackJobDeliveryNote.as_view(), name="api-pack-job-note"
    ),
    path("packjobs/<uuid:pk>/returnnote", documents.PackJobReturnNote.as_view(), name="api-pack-job-slip"),
    path("itemreturnjobs", returns.ReturnJobList.as_view(), name="api-return-jobs"),
    path("itemreturnjobs/<uuid:pk>", returns.ReturnJobDetail.as_view(), name="api-return-job"),
    path(
        "itemreturnjobs/<uuid:pk>/actions", returns.ReturnJobActions.as_view(), name="api-return-job-actions"
    ),
    path("itemreturnjobs/<uuid:pk>/itemreturns", returns.ItemReturnList.as_view(), name="api-item-returns"),
    path(
        "itemreturnjobs/<uuid:pk>/itemreturns/<uuid:return_pk>",
        returns.ItemReturnDetail.as_view(),
        name="api-item-return",
    ),
    path(
        "itemreturnjobs/<uuid:pk>/itemreturns/<uuid:return_pk>/actions",
        returns.ItemReturnActions.as_view(),
        name="api-item-return-actions",
    ),
]
