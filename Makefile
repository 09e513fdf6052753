# GNU make 3.81 (macOS) or newer; `make help` says what there is.
.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/sh

PYTHON ?= python3
TORCH := torch==2.13.0
TORCH_INDEX ?=
VENV := .venv
# Most tests wait for a database or a server, so more of them than cores run at once.
WORKERS ?= 3
BIN := $(VENV)/bin
comma := ,

# What pip reads from the user's own settings must not lead it out of .venv.
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

# A question may hold any quotes and dollars: make never expands it, and the recipe gets it as a
# variable. A failing recipe makes make end with 2 and an error line whatever its status; under
# --question status 1 ends it quietly with 1, which serves an abstention (recipes then need a +).
# For the command's own statuses (0 answered, 3 not sure, 1 failed) scripts call
# `.venv/bin/supportbot ask`.
ifneq ($(origin ASK),undefined)
override ASK := $(value ASK)
export ASK
MAKEFLAGS += --question
ALWAYS := +
endif

.PHONY: help run test check bench bench-learning storm clean

help:
	@echo 'make run               install, index the documents, and chat in this terminal'
	@echo 'make run ASK="…"       answer one question: 0 answered, 1 not sure, 2 failed'
	@echo 'make test              everything below check, then the tests'
	@echo 'make check             formatting, lint, types and import contracts'
	@echo 'make bench             measure quality and speed against a plain LlamaIndex stack'
	@echo 'make bench-learning    measure what is learnt from ratings alone (LEARNING="--intents 20 …")'
	@echo 'make storm             ask 2,000 questions through Slack while everything breaks'
	@echo 'make clean             remove .venv and caches; .supportbot (your data) stays'
	@echo
	@echo 'PYTHON=python3.12      which Python to install for (3.11 or newer)'
	@echo 'TORCH_INDEX=https://…  where pip gets PyTorch, for example CPU-only wheels'

run: $(VENV)/.installed-train
ifdef ALWAYS
	+@$(BIN)/supportbot ask --refresh -- "$$ASK"; \
	case $$? in 0) exit 0 ;; 3) exit 1 ;; *) exit 2 ;; esac
else
	@$(BIN)/supportbot run
endif

test: check
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

check: $(VENV)/.installed-train-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/.installed-bench-train
	@$(BIN)/python -m benchmarks

bench-learning: $(VENV)/.installed-train
	@$(BIN)/python -m benchmarks.learning $(LEARNING)

storm: $(VENV)/.installed-train-dev
	@$(BIN)/python -m tests.platforms.slack.storm

clean:
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.supportbot/*' -prune -exec rm -rf {} +

# Each stamp's name says which extras are installed: .installed-bench-train has bench and train.
$(VENV)/.installed-%: pyproject.toml constraints.txt
	$(ALWAYS)@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "supportbot needs Python 3.11 or newer, and $(PYTHON) is" \
	    "$$("$(PYTHON)" -V 2>/dev/null || echo not installed). Run: make $(MAKECMDGOALS) PYTHON=python3.12"; \
	  exit 2; } >&2
	$(ALWAYS)@$(BIN)/python -m pip --version >/dev/null 2>&1 \
	  || "$(PYTHON)" -m venv --clear $(VENV) >&2 || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian or Ubuntu run:" \
	    "apt install python3-venv" >&2; exit 2; }
	$(ALWAYS)@echo 'Installing into $(VENV) (a minute or two the first time) …' >&2
	$(ALWAYS)@MAKEFLAGS= $(BIN)/python -m pip install -qq $(if $(TORCH_INDEX),--index-url '$(TORCH_INDEX)') $(TORCH) >&2 || exit 2
	$(ALWAYS)@MAKEFLAGS= $(BIN)/python -m pip install -qq -c constraints.txt -e '.[$(subst -,$(comma),$*)]' >&2 || exit 2
	$(ALWAYS)@touch $(VENV)/.installed-train $@
