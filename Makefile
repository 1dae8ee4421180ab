# make demo: videos from the shipped picture, by a clip and by a voice.   make test: style, types and tests.   make clean
# make architecture: docs/images/architecture.svg, drawn from the code.
# make fuzz: every reader of files against 20,000 damaged ones (hours; FUZZ_ARGS="--count 500 --only LMDB").
# make test-ray: data preparation on a Ray cluster of this machine (brings Ray, half a gigabyte).
#
# Everything is installed into .venv, once; a second run starts at once. Choose another Python with PYTHON=python3.12,
# and give pip more to go on with PIP_ARGS, for example an index with CPU builds of torch.

PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
PY := $(VENV)/bin/python
INSTALL = $(PY) -m pip install --disable-pip-version-check --quiet -c constraints.txt $(PIP_ARGS)
DEMO := results/demo.mp4
VOICE_DEMO := results/demo_voice.mp4

.PHONY: help demo test test-ray fuzz architecture clean

help:
	@sed -n '1,7s/^# \{0,1\}//p' Makefile

demo: $(VENV)/.installed $(VENV)/.faces
	@mkdir -p results
	$(PY) run_talkingface.py --model=FOM --run_mode=infer --image_source=dataset/sample/source.png \
	  --video_source=dataset/sample/driving.mp4 --output=$(DEMO)
	$(PY) run_talkingface.py --model=SadTalker --run_mode=infer --image_source=dataset/sample/source.png \
	  --audio_path=dataset/sample/driving.mp4 --output=$(VOICE_DEMO)

test: $(VENV)/.installed-dev $(VENV)/.faces
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m pytest

test-ray: $(VENV)/.installed-dev $(VENV)/.faces
	$(INSTALL) -e '.[dev,ray]'
	$(PY) -m pytest tests/data/prepare/test_ray.py

fuzz: $(VENV)/.installed-dev
	@$(INSTALL) -e '.[fuzz]' || echo "note: atheris cannot be installed here; our own damage does"
	cd tests && PYTHONPATH=.. ../$(PY) -m fuzz $(FUZZ_ARGS)

architecture:
	$(PYTHON) scripts/draw_architecture.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache

$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: $(PYTHON) is not installed. Install Python 3.10 or later (Debian: apt install python3 python3-venv), or name one with make PYTHON=..."; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: $$($(PYTHON) --version) is too old. Name Python 3.10 or later with make PYTHON=..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $(PYTHON) cannot make virtual environments. Debian: apt install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# torch first and alone: what follows must fit to it, not replace it.
$(VENV)/.torch: constraints.txt | $(VENV)/.made
	$(INSTALL) torch
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	$(INSTALL) -e '.[landmarks]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) -e '.[dev]'
	@touch $@

# The networks that find faces (2 MB, out of a wheel of 36 MB). Without them everything else works, so going on is right;
# the mark is only set once they are there.
$(VENV)/.faces: | $(VENV)/.installed
	@if $(PY) run_talkingface.py --run_mode=fetch --checkpoint=mesh --quiet >/dev/null; then touch $@; \
	else echo "note: going on without the networks that find faces; the next make tries again"; fi
