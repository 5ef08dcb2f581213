# One set of commands, for people and for CI. Each sets up what it needs: Python 3.13 is all that must be there.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

PYTHON ?= python3.13
BIN := .venv/bin
# Tools with an environment of their own. Every package, theirs and the project's, is installed by its hash.
TOOLS := sam checkov pip-audit zensical
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/.tools/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
# Without bytecode, each process of a test would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

## demo: a whole run on this machine: 200 jobs are sent, a result and a notice come back
demo: .venv/ready
	@$(BIN)/python -m local demo

## serve: the same system, left running, with the URLs and commands to try, `sam local invoke` among them
serve: .venv/ready
	@$(BIN)/python -m local serve

# By default the files with the fewest tests come last, and these have the slowest: one of them would be waited for.
## test: all tests (six minutes on two cores), or a part: make test [T=tests/unit/test_project.py]
test: .venv/ready
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(T)

## test-unit: the unit tests (about a minute on two cores)
test-unit:
	@$(MAKE) test T=tests/unit

# The tests that hold the templates, SAM's settings, workflows and pages to the rules of those who read them.
CHECKS := aws_models deploy_role documentation project samconfig template workflows

## check: format, lint, types, known vulnerabilities, templates, import direction, the commands that the pages name
check: .venv/ready $(TOOLS:%=.tools/%/ready)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m scripts.audit
	$(BIN)/cfn-lint template.yaml .github/deploy-role.yaml
	sam validate --lint
	checkov --config-file .checkov.yaml
	@zensical build --strict -f mkdocs.yml
	$(BIN)/pytest -q $(CHECKS:%=tests/unit/test_%.py)

## docs: the pages of docs/ as a site, in .local/site/index.html
docs: .tools/zensical/ready
	@zensical build --strict -f mkdocs.yml
	@echo "Open .local/site/index.html in a browser."

## build: build for this machine, for `sam local invoke`; or for a deployment: make build ENV=prod
build: .tools/sam/ready
	architecture=$(or $(ARCHITECTURE),$$($(BIN)/python -m scripts.architecture $(ENV))); \
	  sam build --parameter-overrides Architecture=$$architecture

## deploy: deploy what was built to AWS: make deploy ENV=prod [CONFIRM=no] (default, staging or prod of samconfig.toml)
deploy: .tools/sam/ready
	@$(BIN)/python -m scripts.architecture --check $(or $(ENV),default)
	sam deploy --config-env $(or $(ENV),default) $(if $(filter no,$(CONFIRM)),--no-confirm-changeset)

## sam-local: every event of events/ in a Lambda container, compared with events/README.md
sam-local: .venv/ready .tools/sam/ready
	@$(BIN)/python -m scripts.sam_local

## bench: speed and memory as ratios, side by side in one run
bench: .venv/ready
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.cold_start

## validate: check a feed on this machine, no AWS: make validate FEED=path [SETTINGS=feed.json]
validate: .venv/ready
	@test -n "$(FEED)" || { echo "which feed? make validate FEED=path [SETTINGS=feed.json]" >&2; exit 2; }
	@$(BIN)/jobferry validate $(if $(SETTINGS),--settings "$(SETTINGS)") "$(FEED)"

## redrive: retry what is in the dead letter queue of a stack: make redrive STACK=name
redrive: .venv/ready
	@test -n "$(STACK)" || { echo "which stack? make redrive STACK=name" >&2; exit 2; }
	@$(BIN)/python -m scripts.redrive "$(STACK)"

## format: put the code into the project's format
format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

## lock: pin every dependency again, the layer's and the tools'
lock: LOCK = $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.13 --generate-hashes --no-annotate \
  --custom-compile-command "make lock"
lock: .venv/bin/uv
	$(LOCK) pyproject.toml -o layers/jobferry/requirements.txt
	$(LOCK) pyproject.toml --group dev -c layers/jobferry/requirements.txt -o requirements-dev.txt
	@for tool in uv $(TOOLS); do $(LOCK) --group $$tool -o tools/$$tool.txt; done

## clean: remove what these commands made
clean:
	rm -rf .venv .tools .cache .aws-sam .local .hypothesis .pytest_cache .mypy_cache .ruff_cache

help:
	@sed -n 's/^## \([a-z-]*\): /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

.venv/bin/uv: tools/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' || \
	  { echo "Python 3.13 is needed, as $(PYTHON) or as another: make PYTHON=/path/to/python3.13" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --require-hashes -r tools/uv.txt
	@touch $@

.venv/ready: requirements-dev.txt pyproject.toml | .venv/bin/uv
	@echo "setting up .venv"
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

.tools/%/ready: tools/%.txt | .venv/bin/uv
	@echo "setting up $*"
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .tools/$*
	$(BIN)/uv pip install --quiet --python .tools/$*/bin/python --require-hashes -r tools/$*.txt
	@mkdir -p .tools/bin && ln -sf ../$*/bin/$* .tools/bin/$*
	@touch $@

.PRECIOUS: .tools/%/ready
.PHONY: demo serve test test-unit check docs build deploy sam-local bench validate redrive format lock clean help
