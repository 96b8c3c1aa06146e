"""Everything that is checked without running the product: ``make check``."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PRODUCTION = {
    "PRODUCTION": "true",
    "SECRET_KEY": "only-for-this-check-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF",
    "ALLOWED_HOSTS": "shop.example",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
}
PACKAGES = ["fulfillment", "orders", "routing", "picking", "packing", "shipping"]
TYPED = ["fulfillment/core", *(str(path) for app in PACKAGES[1:] for path in ROOT.glob(f"{app}/services*"))]


def steps():
    """(name, command, environment) of every check."""
    templates = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "templates").rglob("*.html"))
    return [
        ("format", [BIN / "ruff", "format", "--check", "."], {}),
        ("templates", [BIN / "djangofmt", "--check", *templates], {}),
        ("lint", [BIN / "ruff", "check", "--quiet", "."], {}),
        ("layers", [BIN / "lint-imports", "--no-logo"], {}),
        ("types", [BIN / "mypy", "--no-error-summary", *TYPED], {}),
        (
            "migrations",
            [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
            {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        ),
        ("deploy", [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION),
    ]


def main():
    failed = []
    for name, command, environment in steps():
        print(f"{name} ...", flush=True)
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
        )
        if done.returncode:
            failed.append(name)
            print(done.stdout + done.stderr)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}")
    print("All well.")


if __name__ == "__main__":
    main()
