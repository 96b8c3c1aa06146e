app_name = "packing"
urlpatterns = []
