app_name = "picking"
urlpatterns = []
