# `make` alone shows what there is. Every target works on a fresh clone with Rust 1.95 and, for tests, on Debian 12.
.DEFAULT_GOAL := help
.PHONY: help run cluster test lint bench bench-wal bench-engine bench-ingest bench-postgres bench-metadata chaos fuzz fuzz-api ui docs

CARGO ?= cargo
# `cargo install` puts tools there; it is not on everyone's PATH.
export PATH := $(if $(CARGO_HOME),$(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

PORT ?= 8080
DATA ?= data
CYCLES ?= 1000
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))

help: ## Shows this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The release profile: the first build takes some minutes longer, but what a newcomer tries is the real thing, in
# speed and in memory. `make run PROFILE=dev` builds sooner.
PROFILE ?= release
run: ## Builds all and starts a node with the ready-made workflow of examples/workflows
	@scripts/servers build
	@scripts/ui
	$(CARGO) build --profile $(PROFILE) --bin hermod
	@exec $(or $(CARGO_TARGET_DIR),target)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/hermod \
		--mode=standalone --workflows examples/workflows --data-dir $(DATA) --port $(PORT)

cluster: ## Starts three local nodes, a balancer and a PostgreSQL, and says what to send and what to kill
	@scripts/servers cluster
	@scripts/ui
	$(CARGO) build --profile $(PROFILE) --bin hermod
	@PORT=$(PORT) exec scripts/cluster $(or $(CARGO_TARGET_DIR),target)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/hermod

test: ## Installs the servers that tests need (Debian, as root) and runs all tests
	@scripts/servers test
	$(CARGO) test --workspace --all-features

lint: ## Checks format, lints, API docs, licences, bans and advisories
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --all-features --quiet
	@scripts/tool cargo-deny cargo-deny 0.20.2
	$(CARGO) deny check --hide-inclusion-graph licenses bans sources
	@scripts/advisories

bench: bench-wal bench-engine bench-ingest bench-postgres bench-metadata ## Runs all benches; QUICK=1 makes each a short check

bench-wal: ## The log beside the raw device; writes target/bench/wal.json
	$(CARGO) run --release -p hermod-benches -- wal

bench-engine: ## The engine in memory and through the file buffer; writes target/bench/engine.json
	$(CARGO) run --release -p hermod-benches -- engine

bench-ingest: ## Webhooks beside nginx and Redis; writes target/bench/ingest.json
	@scripts/servers bench
	$(CARGO) run --release -p hermod-benches -- ingest

bench-postgres: ## The PostgreSQL sink beside psql's \copy; writes target/bench/postgres.json
	@scripts/servers bench
	$(CARGO) run --release -p hermod-benches -- postgres

bench-metadata: ## Three nodes of the metadata store beside three of etcd; writes target/bench/metadata.json
	@scripts/servers bench
	$(CARGO) run --release -p hermod-benches -- metadata

# Without NEMESIS: one node, which is killed CYCLES times. With one: three nodes behind a balancer, ROUNDS times.
ROUNDS ?= 10
chaos: ## Kills a node CYCLES times (1000) under load; NEMESIS=kill|pause|partition|mix ROUNDS=n SEED=s: three nodes
ifdef NEMESIS
	@scripts/servers chaos
	@$(CARGO) build --release --bin hermod --bin hermod-chaos -p hermod -p hermod-chaos
	@$(or $(CARGO_TARGET_DIR),target)/release/hermod-chaos --nemesis $(NEMESIS) --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)) \
		--program $(or $(CARGO_TARGET_DIR),target)/release/hermod
else
	$(CARGO) run --release --bin hermod -- prove --cycles $(CYCLES)
endif

# No sanitizer: the code has no `unsafe`, so what is looked for are panics and broken promises. New inputs go to
# `fuzz/found`, which is not kept; `fuzz/corpus` has the chosen ones.
fuzz: ## Runs each fuzz target for FUZZ_SECONDS (60); needs a nightly Rust
	@scripts/tool cargo-fuzz cargo-fuzz 0.13.2
	@set -e; for target in $(FUZZ_TARGETS); do \
		echo "fuzz: $$target for $(FUZZ_SECONDS) s"; \
		mkdir -p fuzz/found/$$target; \
		$(CARGO) +nightly fuzz run --sanitizer none $$target fuzz/found/$$target fuzz/corpus/$$target -- -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=4096; \
	done

fuzz-api: ## Asks a node everything that schemathesis thinks of, FUZZ_SECONDS (60) as each role; needs Python
	$(CARGO) build --bin hermod
	@SECONDS_EACH=$(FUZZ_SECONDS) scripts/fuzz-api $(or $(CARGO_TARGET_DIR),target)/debug/hermod

# Without Node there is none: the binary then serves a page that says so.
ui: ## Lints, tests and builds the web interface, which the next build takes in; needs Node 20
	cd ui && npm ci --no-audit --no-fund
	cd ui && npm run api -- --check && npm run lint && npm test && npm run build

docs: ## Builds the book into docs/book
	@scripts/tool mdbook mdbook 0.5.4
	mdbook build docs
