# The commands that stay true: run, test, check.
PYTHON := .venv/bin/python
ARGS ?=
SEEDS ?= 20
FIRST ?= 1
EVENTS ?= 10000
# Compiled files are kept even where the environment says otherwise: without them every start of the tests takes twice as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test acceptance check chaos kills mutate setup clean

run: setup
	@$(PYTHON) -m sandbox $(ARGS)

# Four at once on two cores, in the order of the folders: two of them wait for the running system while two compute.
test: setup
	@$(PYTHON) -m pytest -n 4 --dist loadgroup --no-loadscope-reorder $(ARGS)

acceptance: setup
	@$(PYTHON) -m tests.acceptance.table -n 2 --dist loadgroup $(ARGS)

check: setup
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	@$(PYTHON) .ci/secret_scan.py
	@$(PYTHON) .ci/dependency_scan.py

chaos: setup
	@$(PYTHON) -m tests.chaos --seeds $(SEEDS) --first $(FIRST) --events $(EVENTS) $(if $(SABOTAGE),--sabotage $(SABOTAGE))

kills: setup
	@$(PYTHON) -m tests.kills $(if $(KILLS),--kills $(KILLS)) $(ARGS)

mutate: setup
	@nice $(PYTHON) .ci/mutate.py $(ARGS)
	@$(PYTHON) .ci/mutation_score.py

setup: .venv/ready

.venv/ready: requirements.txt requirements-dev.txt .ci/make-venv
	@bash .ci/make-venv

clean:
	rm -rf .venv .sandbox mutants
