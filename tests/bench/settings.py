from fulfillment.settings import *

ROOT_URLCONF = "tests.bench.urls"
