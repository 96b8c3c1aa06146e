PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help run test check fuzz soak soak-labels bench bench-screens demo pictures messages lock setup setup-dev

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup:
	@$(PYTHON) deploy/bootstrap.py

setup-dev:
	@$(PYTHON) deploy/bootstrap.py dev

run: setup  ## Start everything; PORT= and HOST= choose where
	@exec $(BIN)/python deploy/run.py

test: setup-dev  ## All tests, on every database that is there; ARGS= go to pytest
	@$(BIN)/python deploy/test.py $(ARGS)

check: setup-dev  ## Format, lint, layers, types, migrations, deploy check
	@$(BIN)/python deploy/check.py

fuzz: setup-dev  ## Try the API with many odd requests; needs PostgreSQL; EXAMPLES= per operation
	@DATABASE_URL=$${DATABASE_URL:-postgres://postgres@127.0.0.1:5432/postgres} FUZZ_EXAMPLES=$(or $(EXAMPLES),200) $(BIN)/python -m pytest -q -n auto tests/test_openapi.py

# Web server: granian against gunicorn made 1.04, 0.98, 0.72 and 1.08 times the orders/s on a busy two-core machine
# (bench ARGS=server). That is no difference, so speed did not decide; repeat it on a quiet machine before a change.
soak: setup-dev  ## Many workers route orders for few articles; needs PostgreSQL; ORDERS= PROCESSES=
	@$(BIN)/python -m tests.soak

soak-labels: setup-dev  ## Kill the workers in the middle of many labels; PARCELS= WORKERS=
	@$(BIN)/python -m tests.soak_labels

bench: setup-dev  ## Speed, as ratios to a floor of the same run; ARGS="routing label" chooses
	@$(BIN)/python manage.py bench $(ARGS)

bench-screens: setup-dev  ## The pick screens in Chromium: feedback, weight, first paint, queries; needs PostgreSQL
	@$(BIN)/python manage.py bench screens --database postgresql

demo: setup  ## Work 40 orders through the whole flow over HTTP; SOURCE=shopify: of a shop, and back
	@$(BIN)/python manage.py demo $(if $(SOURCE),--source $(SOURCE)) $(ARGS)

pictures: setup-dev  ## Take the pictures of README anew, beside a fresh make run; URL=
	@DJANGO_SETTINGS_MODULE=fulfillment.settings $(BIN)/python -m tests.pictures $(URL)

messages: setup-dev  ## Collect and compile the translations (needs gettext)
	@$(BIN)/python deploy/messages.py

lock: setup-dev  ## Renew the lock files
	@$(BIN)/pip-compile -q --upgrade --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header -o requirements.lock pyproject.toml
	@$(BIN)/pip-compile -q --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --allow-unsafe --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
