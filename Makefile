# Everything from a fresh clone, with nothing but Python 3.11 or newer: `make demo`, `make test`.
# PYTHON=python3.12 chooses another interpreter; the environment is then made again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := build/peers
DEMO := .demo
PHOTOS ?= $(DEMO)/photos
BUILT_FROM := pyproject.toml src/bulkup/content/_sha256_lanes.c
# Quiet: the commands are longer than a line. setuptools warns of each build that ext-modules in pyproject.toml is a new feature.
PIP := @PYTHONWARNINGS=ignore::UserWarning $(BIN)/python -m pip --quiet --disable-pip-version-check
# What make check measures: all but the slow tests from end to end.
CHECKED := tests/docs tests/unit tests/state tests/contract \
	$(patsubst %,tests/e2e/test_%.py,accept adopt broker clean cluster doctor forget free layout_template \
	manifest_copies merge models named_destinations pull query rebuild reports resume retry serve \
	stage_plans takeout verify watch)
# make test AFTER_CHECK=yes skips what make check has just run.
SKIPPED := $(if $(AFTER_CHECK),$(CHECKED:%=--ignore=%))
# Where tests are that need system packages; to collect the others takes time.
MARKED = tests/contract $(shell grep -rlE --include='test_*.py' 'mark\.(ceph|nginx|chromium)\b' tests)
BULKUP := BULKUP_HOME=$(CURDIR)/$(DEMO)/home $(BIN)/bulkup
ENVIRONMENT := $(VENV)/.made-with-$(notdir $(PYTHON))

.PHONY: help demo serve-demo test check test-ceph bench bench-push bench-pictures compare-exiftool \
	docs dist test-pythons image fuzz clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo          pushes and searches generated pictures; needs no account'
	@echo 'make serve-demo    the same pictures in a browser, until Ctrl-C'
	@echo 'make test          all tests that need no system package'
	@echo 'make check         lint, format, types, import rules, tests with coverage'
	@echo 'make test-ceph     tests against Ceph, nginx and Chromium (Debian packages)'
	@echo 'make bench         compares with rclone, s5cmd and others in 50 minutes'
	@echo '                   halves: bench-push BENCH="--scale 0.05",'
	@echo '                           bench-pictures PHOTOS=DIR'
	@echo 'make compare-exiftool  facts of PHOTOS=DIR beside those of exiftool'
	@echo 'make docs          the site of the documentation, in build/site'
	@echo 'make dist          sdist and wheel, in dist, checked'
	@echo 'make test-pythons  the wheel in clean environments of the Pythons found'
	@echo 'make image         the container image bulkup, by docker or podman'
	@echo 'make fuzz          property tests of parsers with 100 times the examples'
	@echo 'make clean         removes everything that the others made'

# Shows a command as it is typed, and runs it.
show = @printf '\n%s\n' '$$ bulkup $(1)'; $(BULKUP) $(1)

demo: $(VENV)/.demo $(DEMO)/photos $(DEMO)/example
	$(call show,push $(DEMO)/photos)
	$(call show,status)
	$(call show,search sailing boat --limit 3)
	$(call show,search clock --limit 3)
	$(call show,search --like $(DEMO)/example/*/*/* --limit 3 --html $(DEMO)/hits.html)
	@printf '\n%s\n' 'Look at $(DEMO)/hits.html; make serve-demo shows all pictures in a browser.'

# SERVE passes options on: make serve-demo SERVE='--port 9000'
serve-demo: $(VENV)/.serve $(DEMO)/photos
	$(BULKUP) push $(DEMO)/photos --quiet
	$(BULKUP) serve --open --work $(SERVE)

test: $(VENV)/.test
	$(BIN)/pytest -n 3 -m 'not ceph and not nginx and not chromium' $(SKIPPED)

check: $(VENV)/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n 3 -W error --cov -m 'not ceph and not nginx and not chromium' $(CHECKED)

test-ceph: $(VENV)/.test
	$(BIN)/python -m tests.servers install
	$(BIN)/pytest -m 'ceph or nginx or chromium' $(MARKED)

bench: bench-push bench-pictures

# BENCH passes options on: make bench-push BENCH='--only push-small --scale 0.1'
bench-push: $(VENV)/.demo $(PEERS)/.installed
	$(BIN)/python -m tests.servers.ceph install
	$(BIN)/python -m tests.servers.front install
	$(BIN)/python -m benchmarks.bench --peers $(PEERS) --json bench-results/bench.json $(BENCH)

# PHOTOS names real photos; drawn ones cost less to decode.
bench-pictures: $(VENV)/.demo $(DEMO)/photos
	$(BIN)/python -m benchmarks.thumbs $(PHOTOS)
	$(BIN)/python -m benchmarks.embed $(PHOTOS)
	$(BIN)/python -m benchmarks.stages $(PHOTOS) --bulkup $(BIN)/bulkup
	$(BIN)/python -m benchmarks.large_pictures
	$(BIN)/python -m benchmarks.search
	$(BIN)/python -m benchmarks.search_process --bulkup $(BIN)/bulkup

# exiftool comes with Debian's libimage-exiftool-perl; without it nothing is compared.
compare-exiftool: $(VENV)/.test $(DEMO)/photos
	$(BIN)/python -m benchmarks.compare_exiftool $(PHOTOS)

docs: $(VENV)/.docs
	$(BIN)/python docs/build_site.py build/pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean

dist: $(VENV)/.dist
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*

# PYTHONS='python3.12 /opt/python3.14/bin/python' chooses others.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
test-pythons: dist
	.ci/test_wheel.sh dist/*.tar.gz $(PYTHONS)

DOCKER ?= docker
image: $(VENV)/.dist
	$(BIN)/hadolint Dockerfile
	$(DOCKER) build --tag bulkup .

fuzz: $(VENV)/.test
	BULKUP_EXAMPLES=100 $(BIN)/pytest -q -n 2 --timeout 3600 tests/unit -m fuzz

clean:
	rm -rf $(VENV) $(DEMO) build dist bench-results
	rm -rf .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf src/bulkup.egg-info src/bulkup/content/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What is installed, each with a stamp so that a second call is quick. pip learned dependency
# groups in 25.1; the one that Python brings is often older.
$(ENVIRONMENT):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo '$(PYTHON) is older than 3.11 or missing; try make PYTHON=python3.12' >&2; exit 1; }
	@echo 'Installing into $(VENV) …'
	@$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(BUILT_FROM) $(ENVIRONMENT)
	$(PIP) install --editable .
	@touch $@

$(VENV)/.serve: $(BUILT_FROM) $(ENVIRONMENT)
	$(PIP) install --editable '.[serve]'
	@touch $@

$(VENV)/.test: $(BUILT_FROM) $(ENVIRONMENT)
	$(PIP) install --editable . --group test
	@touch $@

# In one call: pip resolves and builds once.
$(VENV)/.check: $(BUILT_FROM) $(ENVIRONMENT)
	$(PIP) install --editable . --group test --group check
	@touch $(VENV)/.test $@

$(VENV)/.docs: $(BUILT_FROM) $(ENVIRONMENT)
	$(PIP) install --editable . --group docs
	@touch $@

$(VENV)/.dist: $(BUILT_FROM) $(ENVIRONMENT)
	$(PIP) install --group dist
	@touch $@

$(PEERS)/.installed: benchmarks/peers.txt
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip --quiet --disable-pip-version-check install -r benchmarks/peers.txt
	@touch $@

# Under another name first, so that a half made set is never taken for whole.
$(DEMO)/photos: | $(VENV)/.demo
	@rm -rf $@.part
	$(BIN)/python examples/make_pictures.py $@.part
	@mv $@.part $@

# A picture that bulkup has never seen, to search with: a lighthouse.
$(DEMO)/example: | $(VENV)/.demo
	@rm -rf $@.part
	$(BIN)/python examples/make_pictures.py $@.part --count 1 --seed 7 --only Leuchtturm
	@mv $@.part $@
