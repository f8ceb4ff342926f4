# Every target works from nothing on a Debian or Ubuntu machine that has python3, make and git.

BIN := .venv/bin
READY := .venv/.ready
BENCH_READY := .venv/.ready-bench
DEMO := out/demo

.PHONY: help setup demo test bench lint clean
.DEFAULT_GOAL := help

help:
	@echo "make setup   a virtual environment in .venv, and the system's OpenGL packages where they are missing"
	@echo "make demo    simulate a rover's drive over real terrain, find its way and the map from its images alone, judge both"
	@echo "make test    the tests"
	@echo "make bench   how long stages, solvers and fusion take, with others beside them"
	@echo "make lint    ruff and mypy"
	@echo "make clean   remove what was made here, except .venv"

setup: $(READY)

$(READY): pyproject.toml tools/setup.sh
	@bash tools/setup.sh
	@touch $@

$(BENCH_READY): $(READY)
	@bash tools/setup.sh bench
	@touch $@

demo: $(READY)
	$(BIN)/glrender simulate $(DEMO)/sequence --path rover --size 4 4 --relief 0.12 --altitude 0.8 --frames 200
	$(BIN)/glrender fuse $(DEMO)/sequence --out $(DEMO)/map --use color --track --camera-height 0.855 --spacing 0.02
	$(BIN)/glrender eval $(DEMO)/map/map.npz --truth $(DEMO)/sequence/truth.npz --truth-trajectory $(DEMO)/sequence/truth_trajectory.txt
	@echo "The pictures:"
	@find $(DEMO) -maxdepth 2 -name '*.png'

# Two files at a time, in their order: by the number of their tests, files of few that take long would come last.
test: $(READY)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

bench: $(BENCH_READY)
	@mkdir -p out
	$(BIN)/glrender bench --peers --json out/bench.json --plot out/bench.png

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean:
	rm -rf out build dist .pytest_cache .hypothesis .ruff_cache .mypy_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
