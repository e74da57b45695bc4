# `make demo` and `make test` set up what they need; a second run finds it there.
.DEFAULT_GOAL := help
.PHONY: help setup build test demo stress gas lint format types rooms lock clean
env := scripts/env

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## install the locked Python and npm packages (PYTHON=path, SETS="core keepers")
	@PYTHON="$(PYTHON)" scripts/setup $(SETS)

build: setup ## compile the contracts that changed into .build/artifacts
	@$(env) python scripts/build.py

demo: build ## simulate the market and write out/demo/report.html (PRICES=candles.csv)
	$(env) novation lab demo --out out/demo $(if $(PRICES),--prices $(PRICES))

stress: build ## run every scenario of losses to the last withdrawal: out/stress (PRICES=candles.csv)
	$(env) novation lab stress --out out/stress $(if $(PRICES),--prices $(PRICES)) $(ARGS)

test: build ## run the tests on a local chain (ARGS="-k funding")
	$(env) pytest $(ARGS)

gas: build ## measure gas per operation into out/gas.json
	$(env) python -m benchmarks.gas

lint: setup ## look for mistakes in the Python
	$(env) ruff check

types: setup ## check the types of the Python
	$(env) mypy

rooms: build ## check who imports whom, and the sizes of contracts
	$(env) python scripts/check_rooms.py

format: setup ## format Python and Solidity
	$(env) ruff check --fix --select I
	$(env) ruff format
	$(env) forge fmt

lock: ## resolve pyproject.toml and package.json anew
	scripts/lock

clean: ## remove what was installed, built or written here
	rm -rf .venv node_modules .build .mypy_cache .ruff_cache .hypothesis out
