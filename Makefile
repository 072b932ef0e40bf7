# Each command first sets up what it needs, says what it fetches, and asks nothing.
# A second run is quick: what is set up is done again only when pyproject.toml or the built
# JupyterLab extension has changed.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help lab tour check static fast test test-all assets fresh bench pictures newcomer extras clean

PYTHON := .venv/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check --no-input
# The node of .venv, for machines that have none or an old one. It would trust its own list of
# certificates only, where pip and git trust the system's.
JLPM := cd labextension && PATH="$(CURDIR)/.venv/bin:$$PATH" NODE_USE_SYSTEM_CA=1 jlpm
ASSETS := nbagents/labextension nbagents/notebook/static labextension/src/wire.ts \
  labextension/src/wire.schema.json labextension/yarn.lock
KERNELS := $(patsubst tests/kernels/%.txt,.cache/kernels/%/.ready,$(wildcard tests/kernels/*.txt))
OLDEST := .cache/oldest/.ready
# What a newcomer has: a clone, and for each extra an environment with it alone.
NEWCOMER := .cache/newcomer
EXTRAS := $(filter-out all,$(shell sed -n '/^\[project.optional/,/^$$/s/^\([a-z0-9]*\) = .*/\1/p' pyproject.toml))

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*  ## /make \1\t/p' Makefile | expand -t 16

lab: .venv/.lab  ## open the tour in JupyterLab
	@.ci/system libgomp1
	$(PYTHON) -m nbagents local
	JUPYTER_PREFER_ENV_PATH=1 .venv/bin/jupyter lab $(ALLOW_ROOT) \
	  --LabApp.default_url=/lab/tree/notebooks/01-first-agent.ipynb

tour: .venv/.lab  ## run the tour here, without a browser, into build/
	@.ci/system libgomp1
	$(PYTHON) -m nbagents local
	$(PYTHON) notebooks/tour.py

check: .venv/.test  ## the quick loop: format, lint, types, floors and the fast tests
	@$(MAKE) --no-print-directory --jobs=2 static fast

test: .venv/.test $(KERNELS) $(OLDEST)  ## prove everything: real kernels, a real browser, a real model
	@$(MAKE) --no-print-directory static fresh newcomer
	@.ci/system libgomp1 chromium
	$(PYTHON) -m nbagents local smollm2-135m
	$(PYTHON) -m nbagents local
	$(PYTHON) -m pytest $(PYTEST)
	@$(MAKE) --no-print-directory --directory=$(NEWCOMER)/clone bench BENCH="--pairs 1"

test-all:  ## the same, with every test on every kernel, and more kills
	@$(MAKE) --no-print-directory test PYTEST=--all

assets: labextension/node_modules/.ready  ## rebuild the JupyterLab extension, which is committed
	$(PYTHON) labextension/schema.py
	$(JLPM) types
	$(JLPM) build

# The extension is checked, built again, and has to come out as it was, to the byte. Then its
# times are put back too, so that nothing else is made anew.
fresh: labextension/node_modules/.ready
	$(JLPM) check
	@rm -rf .cache/assets && mkdir -p .cache/assets
	@tar -cf - $(ASSETS) | tar -xf - -C .cache/assets
	@$(MAKE) --no-print-directory assets
	@for each in $(ASSETS); do diff -r "$$each" ".cache/assets/$$each" >/dev/null \
	  || { echo "$$each was old. It is built anew: commit it."; exit 1; }; done
	@tar -cf - -C .cache/assets $(ASSETS) | tar -xf -

bench: .venv/.test labextension/node_modules/.ready  ## measure, and write docs/benchmarks.md
	@.ci/system chromium
	$(PYTHON) -m benchmarks --write $(BENCH)

pictures: .venv/.test  ## run the tour, and renew its saved outputs and the README's pictures
	@.ci/system libgomp1 chromium
	$(PYTHON) -m nbagents local
	$(PYTHON) notebooks/tour.py
	find build -maxdepth 1 -name '0*.ipynb' ! -name '*.*.ipynb' -exec cp {} notebooks/ ';'
	$(PYTHON) -m docs.pictures

clean:  ## remove all that these commands made here
	rm -rf .venv .cache build dist labextension/node_modules labextension/lib .pytest_cache .ruff_cache .import_linter_cache

static: .venv/.test
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/pyright
	.venv/bin/lint-imports

# The models' contract speaks to real servers for half a minute; `make test` has it.
fast: .venv/.test
	$(PYTHON) -m pytest -m "not kernel and not browser and not local_model and not newcomer" --ignore=tests/contract

# Jupyter Server refuses to run as root, which is who one is in a container, unless told.
ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

$(PYTHON):
	python=$$(.ci/find-python) && "$$python" -m venv --clear .venv
	$(PIP) install --upgrade "pip>=25.1"

# The name of the extension's files changes whenever it does.
.venv/.lab: $(PYTHON) pyproject.toml nbagents/labextension/package.json
	$(PIP) install --editable ".[all]" --group lab
	@touch $@

.venv/.test: $(PYTHON) pyproject.toml nbagents/labextension/package.json
	$(PIP) install --editable ".[all]" --group lab --group test --group check
	@touch $@

# The kernels that people still have; the newest is the one in .venv.
.cache/kernels/%/.ready: tests/kernels/%.txt pyproject.toml $(PYTHON)
	$(PYTHON) -m venv --clear --without-pip $(@D)
	$(PIP) --python $(@D)/bin/python install --editable ".[openai]" --requirement $<
	@touch $@

# The oldest JupyterLab and Notebook that the extension is for, with a kernel of their own.
$(OLDEST): tests/browser/oldest.txt pyproject.toml nbagents/labextension/package.json $(PYTHON)
	$(PYTHON) -m venv --clear --without-pip $(@D)
	$(PIP) --python $(@D)/bin/python install --editable ".[openai]" --requirement $<
	@touch $@

# Set up as the README says, from a copy of this folder that brings nothing along. It is made anew each
# time: what is tested is what a first time needs.
newcomer: $(PYTHON)
	@rm -rf $(NEWCOMER) && mkdir -p $(NEWCOMER)/clone
	@git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2>/dev/null \
	  | tar -cf - -T - | tar -xf - -C $(NEWCOMER)/clone
	@$(MAKE) --no-print-directory --directory=$(NEWCOMER)/clone .venv/.lab
	$(PIP) wheel --no-deps --wheel-dir $(NEWCOMER)/dist $(NEWCOMER)/clone
	@$(MAKE) --no-print-directory --jobs=2 extras

extras: $(patsubst %,$(NEWCOMER)/%/.ready,core $(EXTRAS))

$(NEWCOMER)/%/.ready:
	$(PYTHON) -m venv --without-pip $(@D)
	$(PIP) --python $(@D)/bin/python install --quiet \
	  "$$(echo $(NEWCOMER)/dist/*.whl)$(if $(filter-out core,$*),[$*])"
	@touch $@

labextension/node_modules/.ready: labextension/package.json labextension/yarn.lock | .venv/.test
	$(JLPM) install
	@touch $@
