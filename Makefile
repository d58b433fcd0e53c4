# The tests. `make test` sets up what it needs: .venv, the built collection, a Docker engine.
PYTHON ?= python3.11

.PHONY: test venv lint sanity unit integration modes molecule e2e faults fleet
test:
	@$(PYTHON) tests/run
venv lint sanity unit integration modes molecule e2e faults fleet:
	@$(PYTHON) tests/run $@

# The embedded lab in .lab: PostgreSQL, Valkey, Node.js and PM2, without root, packages of the system or containers.
.PHONY: demo demo-clean lab lab-down lab-status
demo:
	@$(PYTHON) lab/bootstrap.py demo
demo-clean:
	@$(PYTHON) lab/bootstrap.py clean
lab:
	@$(PYTHON) lab/bootstrap.py up
lab-down:
	@$(PYTHON) lab/bootstrap.py down
lab-status:
	@$(PYTHON) lab/bootstrap.py status

# Ratios against the raw commands; writes benchmarks/results.json and RESULTS.md.
.PHONY: benchmark
benchmark: lab
	@.venv/bin/python benchmarks
