# Targets with a comment behind them are shown by `make help`.
CARGO ?= cargo
# Further arguments of nextest, e.g. make gates ARGS='-E "test(etcd)"'
ARGS ?=
GATES = $(CARGO) run --quiet --bin k1s-gates --

.DEFAULT_GOAL := help
# The stack's tools before the user's own, cargo-nextest among them.
WITH_STACK = prefix=$$($(GATES) stack --path) && PATH="$${prefix:+$$prefix:}$$PATH"
.PHONY: check help stack browser policy gates resume test both sabotage hosts faults test-kill test-clock kill runs consumer bench matrix sweep fuzz lint doc clean-cache

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

stack: ## Build and install what the gates need and is not here yet
	@harness/stack/bootstrap.sh
	@$(GATES) stack

resume: stack ## Resume the newest interrupted run, or that in RUN_DIR: what had ended is kept, the rest is run
	@run=$$($(GATES) interrupted $${RUN_DIR:+"$$RUN_DIR"}) || exit; RUN_DIR="$$run" $(MAKE) --no-print-directory gates

browser: ## Install what the report is tested in, when it is not there
	@harness/stack/browser.sh

policy: stack ## Build AMPEL, when it is not there, and show it the results of runs with the policy of examples/policy
	@$(GATES) stack --ampel
	@prefix=$$($(GATES) stack --ampel --path) && PATH="$$prefix:$$PATH" $(CARGO) nextest run --profile own --test own --run-ignored only -E 'test(policy::)'

gates: stack ## Run the validation gates against the real WorkerBee
	@$(GATES) run -- $(ARGS)

OWN = not binary(gates) and not binary(sabotage) and not binary(hosts) and not binary(faults) and not binary(kill) and not binary(runs)

check: stack lint ## Lints and the harness's own tests, without a browser and without real gates
	@$(WITH_STACK) $(CARGO) nextest run --profile own -E '$(OWN) and not binary(browser)' $(ARGS)

test: stack browser lint ## Run everything: lints, the harness's own tests, then the gates, with JUnit in target/nextest/ci
	@$(WITH_STACK) $(CARGO) nextest run --profile own -E '$(OWN)'
	@$(CARGO) test --quiet --doc
	@$(MAKE) --no-print-directory consumer
	@$(MAKE) --no-print-directory sabotage ARGS=
	@$(MAKE) --no-print-directory faults FAULTS=3 SEED=1 ARGS=
	@$(MAKE) --no-print-directory hosts ARGS=
	@$(MAKE) --no-print-directory kill ARGS=
	@$(MAKE) --no-print-directory runs ARGS=
	@$(MAKE) --no-print-directory both

# The gates both ways: half of the checks are the other's, and what both say is compared.
both: export K1S_GATES_TRANSPORT = both
both:
	@$(GATES) run --profile ci -- $(ARGS)

# A gate waits for half of its time: on two processors three side by side take less time than two.
ROWS = $$((($$(nproc) * 3 + 1) / 2))
sabotage: stack ## Break one thing at a time on the real stack, and see that just the right checks go red
	@$(CARGO) build --quiet --example ladder
	@$(WITH_STACK) $(CARGO) nextest run --profile sabotage --test sabotage --test-threads $(ROWS) $(ARGS)

FAULTS ?= all
SEED := $(or $(SEED),$(shell date +%s))
faults: stack ## Plant faults in k1s one at a time on the real stack, and see that they are caught (FAULTS=3 SEED=1 draws three)
	@$(CARGO) build --quiet --example ladder
	@echo "faults: FAULTS=$(FAULTS)$(if $(filter-out all,$(FAULTS)), SEED=$(SEED))"
	@$(WITH_STACK) K1S_GATES_FAULTS=$(FAULTS) K1S_GATES_FAULTS_SEED=$(SEED) $(CARGO) nextest run --profile faults --test faults --test-threads $(ROWS) $(if $(SHARD),--partition count:$(SHARD)) $(ARGS)

hosts: stack ## Lay hosts unlike this one around a gate, and see that it works there or is told at once why not
	@$(CARGO) build --quiet --example ladder
	@$(WITH_STACK) $(CARGO) nextest run --profile hosts --test hosts $(ARGS)

test-kill: ## Cut real runs short at 20 points with each signal, and see that nothing is left of them
	@K1S_GATES_KILL_POINTS=$${K1S_GATES_KILL_POINTS:-20} $(MAKE) --no-print-directory kill

runs: stack ## Real runs that are stressed, retried, two at once, and whose failed projects are kept
	@$(CARGO) build --quiet --example ladder
	@$(WITH_STACK) $(CARGO) nextest run --profile runs --test runs $(ARGS)

test-clock: ## Set this machine's clock forth and back while a gate runs, as root; it is put back
	@$(MAKE) --no-print-directory runs ARGS='--run-ignored only'

kill: stack
	@$(CARGO) build --quiet --example ladder
	@$(WITH_STACK) $(CARGO) nextest run --profile kill --test kill $(ARGS)

fuzz: ## Redact spoiled texts for five minutes, and judge spoiled runs for five (K1S_GATES_FUZZ_SECONDS, PROPTEST_CASES)
	@K1S_GATES_FUZZ_SECONDS=$${K1S_GATES_FUZZ_SECONDS:-300} $(CARGO) test --lib -- --nocapture redact::fuzz
	@PROPTEST_CASES=$${PROPTEST_CASES:-3000} $(CARGO) test --test own fuzz::

# Each list is a file of its own, so that a cargo that fails is seen, and an empty list is no agreement.
consumer: TRIALS = $(or $(CARGO_TARGET_DIR),target)
consumer: ## Build the example of a consumer and see that it lists the same trials
	@mkdir -p "$(TRIALS)"
	@$(CARGO) test --quiet --test gates -- --list > "$(TRIALS)/trials.own"
	@$(CARGO) test --quiet --manifest-path examples/k1s-consumer/Cargo.toml --target-dir "$(TRIALS)" --test gates -- --list > "$(TRIALS)/trials.consumer"
	@grep -q ': test$$' "$(TRIALS)/trials.own" || { echo "the harness lists no trials: see $(TRIALS)/trials.own" >&2; exit 1; }
	@diff "$(TRIALS)/trials.own" "$(TRIALS)/trials.consumer" && echo "the consumer lists the same $$(grep -c ': test$$' "$(TRIALS)/trials.own") trials"

bench: stack ## Measure the gates against the runbook by hand, in turn (ROUNDS=2)
	@bench/compare.sh

matrix: stack ## Run the gates on several WorkerBees and k1s roots, and say what differs (ARGS="--workerbee A --workerbee B --k1s C")
	@$(GATES) matrix $(ARGS)

sweep: ## Show what killed runs have left; remove it with ARGS=--execute
	@$(GATES) sweep $(ARGS)

lint: ## Check format and lints
	@$(CARGO) fmt --check
	@$(CARGO) clippy --quiet --all-targets -- -D warnings

doc: ## Build the documentation
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps

clean-cache: ## Remove what the stack has made in its cache folder, and nothing else
	@$(GATES) stack --clean
