# Two commands do everything, each with all its own set-up: `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help bench chaos demo demo-kill demo-start demo-status demo-stop test check build release page fmt lint unit servers-test e2e setup

help: ## This list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

demo: ## Nine real servers in two clusters, and the orchestrator on http://127.0.0.1:3000 (DEMO_FLAVOR=mysql for MySQL)
	@scripts/demo.sh run

demo-kill: ## kill -9 the source of cluster orders
	@scripts/demo.sh kill

demo-start: ## Start what was killed
	@scripts/demo.sh start

demo-status: ## Which servers of the demo run
	@scripts/demo.sh status

demo-stop: ## Stop the demo, as Ctrl-C does
	@scripts/demo.sh stop

test: ## All checks and tests, browser and real servers included
	@scripts/test.sh

check: ## What is quick: format, lint, scripts
	@scripts/test.sh format scripts lint

build: ## The binary with the page inside, and the client, unoptimised
	@scripts/build.sh --debug

release: ## The binary with the page inside, and the client, optimised
	@scripts/build.sh --release

page: ## The page alone
	@scripts/build.sh --page-only

fmt: ## Format the Rust code
	@cargo fmt --all

lint: ## clippy, for this machine and for the browser
	@scripts/test.sh lint lint-page

unit: ## Tests that need no server and no browser
	@scripts/test.sh unit

servers-test: ## Tests against real MySQL and MariaDB servers
	@scripts/test.sh servers real-servers

e2e: ## Browser tests
	@scripts/test.sh servers browser end2end

setup: ## Install what the rest needs, and nothing else
	@scripts/setup-wasm.sh && scripts/setup-servers.sh all && scripts/setup-browser.sh

bench: ## Measure what docs/PERFORMANCE.md claims (some 15 minutes); for one figure: scripts/bench.sh help
	@scripts/bench.sh

chaos: ## Break real servers in every way we know and print what came of it (some 15 minutes); SCENARIOS="..." for some of them
	@scripts/chaos.sh $(SCENARIOS)
