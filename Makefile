# The tests. `make test` sets up what it needs: .venv, the built collection, a Docker engine.
PYTHON ?= python3.11

.PHONY: test venv lint sanity unit integration modes molecule e2e
test:
	@$(PYTHON) tests/run
venv lint sanity unit integration modes molecule e2e:
	@$(PYTHON) tests/run $@
