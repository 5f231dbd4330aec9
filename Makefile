# Targets with a comment behind them are shown by `make help`.
CARGO ?= cargo
# Further arguments of nextest, e.g. make gates ARGS='-E "test(etcd)"'
ARGS ?=
CACHE = $(or $(K1S_GATES_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/k1s-profile-gates)
GATES = $(CARGO) run --quiet --bin k1s-gates --

.DEFAULT_GOAL := help
.PHONY: help stack gates lint doc clean-cache

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

stack: ## Build and install what the gates need and is not here yet
	@harness/stack/bootstrap.sh
	@$(GATES) stack

gates: stack ## Run the validation gates
	@prefix=$$($(GATES) stack --path) && PATH="$${prefix:+$$prefix:}$$PATH" $(CARGO) nextest run --profile gates --test gates $(ARGS)

lint: ## Check format and lints
	@$(CARGO) fmt --check
	@$(CARGO) clippy --quiet --all-targets -- -D warnings

doc: ## Build the documentation
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps

clean-cache: ## Remove the stack's cache folder, and nothing else
	@if [ -e "$(CACHE)/CACHEDIR.TAG" ]; then \
	  rm -rf -- "$(CACHE)" 2> /dev/null || sudo -n rm -rf -- "$(CACHE)"; \
	else echo "no cache of the stack in $(CACHE)"; fi
