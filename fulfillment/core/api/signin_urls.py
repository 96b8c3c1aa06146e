"""The sign-in routes under their own path, and with the host names in front that clients know them by."""

from django.urls import path

from . import signin

urlpatterns = [
    path("identitytoolkit.googleapis.com/v1/accounts:signInWithPassword", signin.sign_in, name="signin"),
    path("securetoken.googleapis.com/v1/token", signin.refresh, name="signin-refresh"),
    path("v1/accounts:signInWithPassword", signin.sign_in, name="signin"),
    path("v1/token", signin.refresh, name="signin-refresh"),
]
