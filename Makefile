# 联护 Lianhu. `make` prints what it can do.
PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run check test test-full bench matrix catalogue migrate clean

help: ## 列出可用目标 this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@echo '正在创建环境、安装依赖，约一两分钟 … Making the environment, installing what is needed: a minute or two …'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(STAMP)

run: $(STAMP) ## 演示：内嵌数据库、41个公开案例 the demo on 127.0.0.1:8000
	$(BIN)/hub demo --port $(PORT)

check: $(STAMP) ## 规范与类型检查 lint and types
	$(BIN)/ruff check hub tests benchmarks
	$(BIN)/ruff format --check hub tests benchmarks
	$(BIN)/mypy

test: $(STAMP) ## 全部测试 all tests
	@PYTEST="$(BIN)/python -m pytest" tests/each.sh

test-full: $(STAMP) ## 全部测试，完整次数 all tests with full counts
	@HUB_TEST_FULL=1 PYTEST="$(BIN)/python -m pytest" tests/each.sh

bench: $(STAMP) ## 性能对比 figures against the bare reference
	$(BIN)/python -m benchmarks

matrix: $(STAMP) ## 重新生成规则效果表 regenerate the reviewed policy matrix
	$(BIN)/hub policy matrix --format compact > tests/policies/matrix.csv

catalogue: $(STAMP) ## 数据目录 the catalogue of kinds and fields
	$(BIN)/hub catalogue

migrate: $(STAMP) ## 升级数据库结构 bring the schema up to date
	$(BIN)/hub migrate

clean: ## 删除演示数据与环境 remove the demo's data and the environment
	@for link in .hub/moved-*; do [ ! -L "$$link" ] || rm -rf "$$(readlink "$$link")"; done  # by root: hub/embedded.py
	rm -rf .hub $(VENV)
