# All targets work in a fresh clone with Python 3.11-3.13 and make; the environment .venv is made when it is needed. Only
# `build` and the tests of its result need python3.13, which the functions run on.

PYTHON ?=
ARGS ?=
RUN = .venv/bin/python

export PYTHON

.PHONY: help demo test check format bench build docs clean local dev

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  PYTHON=/path/to/python3.13 picks the Python, ARGS='...' is handed on: make test ARGS='-k contract'"

demo: local ## a synthetic site of 2,000 users, what is learned from its likes, one user's best matches
	@$(RUN) -m sitejobs_local.cli demo $(ARGS)
	@echo "The command itself: . .venv/bin/activate && sitejobs"

test: dev ## all tests, three at a time: on two cores they often wait
	@$(RUN) -m pytest -n 3 $(ARGS)

check: dev ## lint, format, types, and who may import whom
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@.venv/bin/lint-imports --no-logo

format: dev ## format the code and mend what the linter can
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

# Pages taken in a benchmark's own process multiply matrices in one thread, as functions do: else two count for one.
bench: dev ## how long the jobs take, beside what the machine can do
	@OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(RUN) -m benchmarks $(ARGS)

build: dev ## the serverless bundle, checked and measured, in .aws-sam/build; needs python3.13
	@$(RUN) tools/bundle.py validate
	@$(RUN) tools/bundle.py build $(ARGS)

docs: dev ## renew the documentation's tables, diagram and pictures, and the text of each SQL statement
	@$(RUN) tools/docs.py
	@$(RUN) tools/prisma.py
	@$(RUN) -m tests.sql
	@$(RUN) -m tools.demo_picture
	@$(RUN) -m tools.pictures

clean: ## remove what these targets made; the embedded database stays (sitejobs db reset removes it)
	rm -rf .venv .venv-sam .venv-runtime .aws-sam build sitejobs.egg-info
	rm -rf .mypy_cache .grimp_cache .import_linter_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

local:
	@sh tools/environment.sh local

dev:
	@sh tools/environment.sh dev
