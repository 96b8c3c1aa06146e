from django.utils import translation
from rest_framework.views import APIView

from .parsing import StrictJSONParser


class ApiView(APIView):
    """Base of the API's views: bodies are read strictly, and all errors are English whatever the client prefers."""

    parser_classes = (StrictJSONParser,)

    def dispatch(self, request, *args, **kwargs):
        with translation.override("en"):
            return super().dispatch(request, *args, **kwargs)
