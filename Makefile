# Everything here also works by hand: a target is a few plain commands.
# Root is needed for packages, network namespaces and tunnels; without it `sudo` is used.

PREFIX  ?= /usr/local
DESTDIR ?=
CARGO   ?= cargo

# The tests run as root, the compiler as you.
RUNNER  := CARGO_TARGET_$(shell uname -m | tr a-z A-Z)_UNKNOWN_LINUX_GNU_RUNNER
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo '$(RUNNER)="sudo -E"')
MONGOD   = WARREN_MONGOD="$$(scripts/mongod.sh path)"
# What tests that kill, freeze, cut off, fill or misdate something say in their names.
FAULTS  := killed|frozen|cut_off|silent|cut_short|cut_costs|change_of_primary|full_disk
FAULTS  := $(FAULTS)|whatever_its_clock|dead_holder|takes_it_over|without_the_database
FAULTS  := test(/$(FAULTS)|taken_by_a_copy|dies/)
TESTS   := $(if $(shell command -v cargo-nextest),nextest run,test)

.PHONY: sim sim-long
.PHONY: help deps deps-browser build run test faults prove bench check install uninstall

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 22

deps: ## install what Warren and its tests need (Debian packages, users, mongod)
	@scripts/deps.sh system
	@scripts/mongod.sh install

deps-browser: deps ## the same for the browser tests (Chromium, Node, npm packages)
	@scripts/deps.sh browser

build: deps ## build the release program: target/release/warren
	$(CARGO) build --release --locked

run: build ## set up what is missing and run Warren here, on a database of its own
	@$(MONGOD) scripts/run.sh target/release/warren

test: deps deps-browser ## set up what is missing and run all tests
	$(AS_ROOT) $(MONGOD) $(CARGO) $(TESTS) --locked

sim: deps ## show every step of one simulated cluster (SEED=… STEPS=…)
	SEED="$(SEED)" STEPS="$(STEPS)" MUTATION="$(MUTATION)" RUST_BACKTRACE=0 \
	  $(CARGO) test --locked --test all -- --exact sim::replay --ignored --nocapture

sim-long: deps ## simulate many clusters, with all there is and without each fence (SEEDS=… FROM=…)
	SEEDS="$(SEEDS)" FROM="$(FROM)" RUST_BACKTRACE=0 \
	  $(CARGO) test --locked --test all -- --exact sim::long --ignored --nocapture

faults: deps deps-browser ## three trials of every test that injects a fault
	$(AS_ROOT) $(MONGOD) $(CARGO) nextest run --locked --stress-count 3 -E '$(FAULTS)'

prove: deps deps-browser ## full counts of one area (P=…), kept in proofs/; resumable
	@$(AS_ROOT) $(MONGOD) scripts/prove.sh "$(P)"

bench: deps ## figures beside their budgets, as Markdown; some of them: PARTS="tunnel status"
	@$(AS_ROOT) $(MONGOD) $(CARGO) bench --locked --bench warren -- $(PARTS)

check: deps ## formatting, clippy without warnings, house rules
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	$(CARGO) test --locked --quiet --test tidy

install: ## install the built program, unit and example configuration (PREFIX, DESTDIR)
	@scripts/install.sh install "$(DESTDIR)" "$(PREFIX)"

uninstall: ## remove what `install` put there; configuration and data stay
	@scripts/install.sh uninstall "$(DESTDIR)" "$(PREFIX)"
