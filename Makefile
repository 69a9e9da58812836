# Limbeck's tasks. `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help demo test soak crash-walk check fmt conformance matrix interop bench postgres

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## walk the main job on a throwaway server: models, revision, upgrade, no drift, an edit, downgrade
	@scripts/install-postgres.sh
	@cargo run --quiet -p limbeck --example demo --features cli

test: ## run every test of the workspace on one throwaway server
	@scripts/with-cluster.sh -- env -u DATABASE_URL cargo test --workspace --all-features --no-fail-fast

soak: ## try SOAK=2000 random pairs of schemas from LIMBECK_SEED=1 on, on all cores; one that fails is made small and kept
	@scripts/with-cluster.sh -- env -u DATABASE_URL SOAK=$${SOAK:-2000} cargo test --quiet -p limbeck-tests --test property -- --nocapture

crash-walk: ## kill, end or cut off runs at every statement boundary and at 200 random moments from LIMBECK_SEED=1 on
	@scripts/with-cluster.sh -- env -u DATABASE_URL CRASH_WALK=all cargo test --quiet -p limbeck-cli --test wire -- walk --nocapture

check: ## formatting, lints, spelling, unused dependencies, documentation, the architecture's guards
	@scripts/tools.sh
	git ls-files -z '*.rs' | xargs -0 rustfmt --edition 2024 --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	scripts/guards.sh
	.limbeck/tools/venv/bin/typos
	.limbeck/tools/bin/cargo-machete crates tests

fmt: ## format the sources
	git ls-files -z '*.rs' | xargs -0 rustfmt --edition 2024

conformance: ## judge the release build by the case pairs in CASES (default ../shared/cases)
	@scripts/conformance.sh

matrix: ## run the tests that meet a server on PostgreSQL 13 to 18, or on those of MAJORS
	@scripts/matrix.sh

interop: ## migrate and check an application that others wrote (python3, PyPI)
	@scripts/with-cluster.sh -- interop/run.sh

bench: ## time a check of 100 to 10,000 tables against pg_dump and Alembic, a proven revision, and long histories
	@scripts/with-cluster.sh -- bench/run.sh

postgres: ## install a server for the tests where none is; PG_MAJOR=13 to 18 for that version
	@scripts/install-postgres.sh $(PG_MAJOR)
