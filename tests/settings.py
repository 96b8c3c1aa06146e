import os
import tempfile
from pathlib import Path

os.environ.setdefault(
    "VAR_DIR",
    str(Path(tempfile.gettempdir()) / f"fulfillment-tests-{os.environ.get('TEST_RUN', 'main')}"),
)

from fulfillment.settings import *
from fulfillment.settings import DATABASES, VAR_DIR, env

SUFFIX = env("TEST_RUN", "main")
if "sqlite3" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["TEST"] = {"NAME": VAR_DIR / "test.sqlite3"}
else:
    DATABASES["default"]["TEST"] = {"NAME": f"test_fulfillment_{SUFFIX}"}
    # What a test wrote need not outlive a power cut.
    DATABASES["default"]["OPTIONS"]["options"] += " -c synchronous_commit=off"
TIME_ZONE = "UTC"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WHITENOISE_AUTOREFRESH = True  # or every test client would look through all static files
