from django.urls import path

from .api import facilities, listings, stocks

urlpatterns = [
    path("facilities", facilities.FacilityList.as_view(), name="api-facilities"),
    path("facilities/search", facilities.FacilitySearch.as_view(), name="api-facility-search"),
    path("facilities/<str:facility>", facilities.FacilityDetail.as_view(), name="api-facility"),
    path("facilities/<str:facility>/listings", listings.ListingList.as_view(), name="api-listings"),
    path(
        "facilities/<str:facility>/listings/<str:sku>", listings.ListingDetail.as_view(), name="api-listing"
    ),
    path("listings/search", listings.ListingSearch.as_view(), name="api-listing-search"),
    path("stocks", stocks.StockList.as_view(), name="api-stocks"),
    path("stocks/summaries", stocks.StockSummaries.as_view(), name="api-stock-summaries"),
    path("stocks/search", stocks.StockSearch.as_view(), name="api-stock-search"),
    path("stocks/<uuid:pk>", stocks.StockDetail.as_view(), name="api-stock"),
]
