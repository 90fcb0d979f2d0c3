# The two that matter: `make run` shows the demo, `make test` proves everything.

GO          ?= go
TEMPL       := github.com/a-h/templ/cmd/templ@v0.3.977
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0
WEB         := internal/kernel/web
ASSETS      := $(WEB)/dist/manifest.json

# Pages that `make screenshots` takes from a running demo: PATH=NAME, or PATH>BEGIN=NAME
# for the first link on a page that begins so.
SCREENSHOTS ?= /staff/map=map /staff/estate=estate /staff/held=workbench '/staff/held>/staff/held/=held' \
	/staff/flows/flow-deaths-council-tax/edit=flow-edit '/staff/records>/staff/records/r=trail' \
	'/staff/cases?type=case-bereavement>/staff/cases/=case' /=residents
WIDTHS      ?= 1280 360

export CGO_ENABLED := 0
# A machine without a home folder keeps its caches here.
ifeq ($(strip $(HOME)),)
export HOME := $(CURDIR)/.cache
endif

.DEFAULT_GOAL := help
.PHONY: help run build assets test check fmt generate bench screenshots clean

help: ## Show these targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: build ## Install what is needed, build, and start the demo (LISTEN=ADDR, DATA=DIR)
	@exec bin/reeve demo $(if $(LISTEN),--listen $(LISTEN)) $(if $(DATA),--data $(DATA))

# The commit is the version, where git can tell it.
build: VCS = $(shell git status --porcelain >/dev/null 2>&1 && echo true || echo false)
build: assets ## Build bin/reeve
	@test -x bin/reeve || echo "building: this takes a few minutes the first time" >&2
	@$(GO) build -trimpath -buildvcs=$(VCS) -ldflags '-s -w' -o bin/reeve ./cmd/reeve

assets: $(ASSETS) ## Bundle the style sheet and scripts into the folder the program embeds

$(ASSETS): node_modules/.package-lock.json $(wildcard $(WEB)/assets/*) tools/webbuild/main.go
	@$(GO) run -buildvcs=false ./tools/webbuild

node_modules/.package-lock.json: package.json package-lock.json
	@tools/needs run
	@npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error </dev/null
	@touch $@

test: build ## Install what is needed (PostgreSQL, MariaDB, OpenSSH, Chromium), check everything, run every test
	@tools/needs test
	@$(MAKE) --no-print-directory check
	REEVE_BIN=$(CURDIR)/bin/reeve REEVE_REQUIRE_POSTGRES=1 REEVE_REQUIRE_SSHD=1 REEVE_REQUIRE_MARIADB=1 REEVE_REQUIRE_SQLITE3=1 REEVE_REQUIRE_CHROMIUM=1 $(GO) test -timeout 60m $(TESTFLAGS) ./...
	$(GO) test $(TESTFLAGS) -tags objects ./connector/objects

check: assets ## Formatting, vet, staticcheck, generated code up to date (the architecture test is among the tests)
	@bad=$$(find . -path ./node_modules -prune -o -path './.*' -prune -o -name '*.go' -print | xargs gofmt -l); \
		test -z "$$bad" || { echo "not formatted (make fmt):"; echo "$$bad"; exit 1; }
	@tools/generated $(GO) run $(TEMPL) generate -path internal -log-level error
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

fmt: ## Format Go and templ files
	@find . -path ./node_modules -prune -o -path './.*' -prune -o -name '*.go' -print | xargs gofmt -w
	@$(GO) run $(TEMPL) fmt -log-level error internal

generate: ## Generate Go from templ files
	@$(GO) run $(TEMPL) generate -path internal -log-level error

bench: build ## Print tables of speed
	@REEVE_BENCH=1 REEVE_BIN=$(CURDIR)/bin/reeve $(GO) test -count 1 -v -run 'TestSpeed|TestCold' -timeout 60m $(BENCHFLAGS) ./tools/bench
	@REEVE_BENCH=1 $(GO) test -count 1 -v -run TestEstateTable -timeout 60m $(BENCHFLAGS) ./internal/app
	@cd tools/opabench && $(GO) run -buildvcs=false . -over 20 -runs 5
	$(GO) test -run '^$$' -bench . -timeout 60m $(BENCHFLAGS) ./internal/...

screenshots: build ## Take docs/images/*.png from a demo that is started for it
	@tools/needs test
	@$(GO) run -buildvcs=false ./tools/screenshots -reeve bin/reeve -out docs/images -widths "$(WIDTHS)" $(SCREENSHOTS)

clean: ## Remove what was built
	rm -rf bin node_modules .cache
	find $(WEB)/dist -mindepth 1 ! -name .gitignore -delete
