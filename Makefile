# make demo    sets up and shows the main job        make test    sets up and runs every check
# make verify  published figures on real data (slow)  make bench   the speed and memory claims
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export HF_HUB_OFFLINE ?= 1

.PHONY: demo test lint types check verify bench sample clean

# torch first and spelled exactly: a looser range may bring gigabytes of CUDA packages to a CPU machine.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "searchapp needs Python 3.11 or newer; try: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/searchapp index data/sample --out indexes/sample --overwrite
	$(BIN)/searchapp query indexes/sample "red leather bag" -k 5
	$(BIN)/searchapp bench data/sample --index indexes/sample --dims 384,128,64 --kinds flat,sq8

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/mypy

test: lint types
	$(BIN)/pytest --numprocesses auto --dist loadfile

verify: $(READY)
	$(BIN)/pytest -m verify --durations=0

bench: $(READY)
	$(BIN)/python benchmarks/encode.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/ivf.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/cold_start.py
	$(BIN)/python benchmarks/latency.py
	$(BIN)/python benchmarks/interrupt.py
	$(BIN)/python benchmarks/matrix.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/finetune.py
	$(BIN)/python benchmarks/acronyms.py

sample: $(READY)
	$(BIN)/python data/generate_sample.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
