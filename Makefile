# The commands that stay true: run, test, check.
PYTHON := .venv/bin/python
ARGS ?=

.PHONY: run test check setup clean

run: setup
	@$(PYTHON) -m sandbox $(ARGS)

test: setup
	@$(PYTHON) -m pytest -n 2 --dist loadgroup $(ARGS)

check: setup
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

setup: .venv/ready

.venv/ready: requirements.txt requirements-dev.txt .ci/make-venv
	@bash .ci/make-venv

clean:
	rm -rf .venv .sandbox
