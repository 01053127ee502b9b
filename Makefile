# The two commands are `make demo` and `make test`; `make help` lists the rest.
# Everything is installed into this folder (.uv, .venv, .cache); `make clean` removes it again.

PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
UV_VERSION := 0.13.9
export UV_PYTHON_DOWNLOADS := never
# trust what this machine trusts: a company network has certificates of its own
export UV_SYSTEM_CERTS := 1
ARGS ?=

.PHONY: help demo test check bench fmt clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */\1\t/' | expand -t 8

demo: .venv/.demo  ## start the service with its sandbox phone, and send it sample events
	.venv/bin/smspipe demo $(ARGS)

test: .venv/.dev .cache/.browser check  ## run every check and every test
	.venv/bin/pytest -n 2 --dist loadfile $(ARGS)

check: .venv/.dev  ## format, lint, types and layers, without the tests
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/.dev  ## measure, and print the table of ratios
	.venv/bin/python -m bench $(ARGS)

fmt: .venv/.dev  ## bring the code into shape
	.venv/bin/ruff check --fix --quiet .
	.venv/bin/ruff format --quiet .

clean:  ## remove everything that these commands made
	rm -rf .uv .venv .cache smspipe-data

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.demo: $(if $(filter .uv/bin/uv,$(UV)),.uv/bin/uv) pyproject.toml uv.lock
	$(UV) sync --quiet --frozen --inexact --python $(PYTHON) --extra demo
	@touch $@

.venv/.dev: $(if $(filter .uv/bin/uv,$(UV)),.uv/bin/uv) pyproject.toml uv.lock
	$(UV) sync --quiet --frozen --inexact --python $(PYTHON) --all-groups --all-extras
	@touch $@ .venv/.demo

.cache/.browser: scripts/browser
	@mkdir -p .cache
	scripts/browser
	@touch $@
