import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fulfillment.settings")

application = get_wsgi_application()

gc.freeze()  # What is loaded stays: the collector, which stops the request it comes in, need not look at it again.
