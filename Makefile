# Warmfront. `make help` lists the targets; each works on a fresh machine.

SHELL      := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO         ?= go
BIN        := bin/warmfront
GO_FILES   := $(shell find . -name '*.go' -not -path './node_modules/*' -not -path '*/node_modules/*')
TOOL       := $(GO) tool -modfile=tools/go.mod
VERSION    := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS    := -s -w -X main.version=$(VERSION)
FUZZTIME   ?= 3s
# What takes longest begins first, or else all wait for it at the end.
LONGEST    := ./journal/jetstream ./edge

.PHONY: help run build console test lint unit fuzz model simulation replay e2e test-guarantee test-cluster conformance conformance-test clients web bench bench-full bench-index bench-invalidation bench-scale performance generate generated deps clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F":.*## " '{printf "  make %-17s %s\n", $$1, $$2}'

run: build ## build everything and start `warmfront dev`
	@exec $(BIN) dev $(ARGS)

build: console $(BIN) ## bin/warmfront, console inside

EMBEDDED := ownapi/openapi.json $(wildcard demosite/web/*)

$(BIN): $(GO_FILES) $(EMBEDDED) go.mod go.sum console/web/dist/index.html
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/warmfront

WEB_FILES := $(shell find console/web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

console: console/web/dist/index.html ## the console's web app

console/web/dist/index.html: $(WEB_FILES) | console/web/node_modules
	cd console/web && npm run --silent build

console/web/node_modules: console/web/package-lock.json
	cd console/web && npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

test: deps build conformance/node_modules ## everything
	@MAKE='$(MAKE)' tools/test

lint: console generated ## gofmt, go vet, staticcheck, committed generated code is current
	@test -z "$$(gofmt -l $(GO_FILES))" || { echo "gofmt these:"; gofmt -l $(GO_FILES); exit 1; }
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	cd e2e && $(GO) vet ./...

unit: console ## Go tests with the race detector, without it those that measure memory or take long, and histories that replay exactly
	$(GO) test -race -vet=off -timeout 30m -parallel 4 $(LONGEST) ./...
	$(GO) test -vet=off ./cache/memory ./httpserver ./simulation/machines
	$(GO) test -vet=off -tags planted ./simulation/machines -run FindPlantedMistakes
	$(GO) test -vet=off -tags planted ./edge -run Ever
	cd tools && $(GO) test -count=1 ./replay

model: deps ## the protocol's model, all its states, and every planted mistake found; MODEL=full takes the long ones too
	@model/check $(MODEL)

simulation: ## whole nodes through HISTORIES histories of faults, 100,000 if not said, the parts that decide through ten times as many, and every planted mistake found
	$(GO) test -count=1 -tags planted ./simulation/machines -run FindPlantedMistakes
	$(GO) test -count=1 -timeout 24h ./simulation/machines -schedules $${HISTORIES:-100000}0
	$(GO) test -count=1 -tags planted ./simulation -run FindsPlantedMistakes
	$(GO) test -count=1 -timeout 24h ./simulation -histories $${HISTORIES:-100000}

replay: ## histories of whole nodes that are the same each time: SEED, one or 1-300; ARGS='-orders 50', -twice, -v
	@cd tools && $(GO) run ./replay $(ARGS) $(SEED)

web: $(BIN) ## console: type check, unit tests, the walk in Chromium against the real binary
	cd console/web && npm run --silent check && npm run --silent test && WARMFRONT=$(CURDIR)/$(BIN) npm run --silent e2e

e2e: $(BIN) ## scenario scripts against the real binary
	cd e2e && WARMFRONT=$(CURDIR)/$(BIN) $(GO) test -count=1 -vet=off -timeout 30m -parallel 4 ./...

test-guarantee: $(BIN) ## 1,000,000 answers checked, every planted mistake found, Varnish and nginx beside us; in half an hour
	@tools/peers varnishd=varnish nginx=nginx-light libnginx-mod-http-cache-purge
	cd e2e && WARMFRONT=$(CURDIR)/$(BIN) GUARANTEE_ANSWERS=$${GUARANTEE_ANSWERS:-1000000} $(GO) test -count=1 -timeout 60m -v -run TestGuarantee .

test-cluster: deps $(BIN) ## machines in network namespaces: cut off, lossy, killed, standing still for longer than a lease, disks full, slow and broken; in 20 minutes
	cd e2e && WARMFRONT=$(CURDIR)/$(BIN) CLUSTER_PAUSE=$${CLUSTER_PAUSE:-36s} $(GO) test -count=1 -timeout 30m -v -run TestCluster .

clients: $(BIN) ## AWS CLI, boto3 and Terraform against the real binary
	WARMFRONT=$(CURDIR)/$(BIN) e2e/clients/run

conformance-test: $(BIN) conformance/node_modules ## http-cache-tests against the real binary, compared with what is pinned
	cd conformance && WARMFRONT=$(CURDIR)/$(BIN) node run.mjs $(ARGS)

conformance: $(BIN) conformance/node_modules ## docs/conformance.md: ours beside nginx, Varnish, Squid and Traffic Server
	cd conformance && WARMFRONT=$(CURDIR)/$(BIN) node run.mjs --peers

conformance/node_modules: conformance/package-lock.json
	cd conformance && npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

fuzz: ## every fuzz target for FUZZTIME
	@tools/fuzz $(FUZZTIME)

bench: $(BIN) ## what a hit costs beside nginx, Varnish, HAProxy, H2O and Traffic Server, in 5 minutes
	@bench/run $(ARGS)

bench-full: $(BIN) ## all rows of the bench, more and longer rounds: half an hour
	@bench/run -full $(ARGS)

bench-invalidation: $(BIN) ## the way of invalidations, hits under rules, a million objects dropped; beside Varnish and nginx, in half an hour
	@bench/run -invalidation $(ARGS)

bench-scale: ## fleets of 100, 1,000 and 5,000 edges, with and without relays, invalidations accepted in a second, octets to each edge
	$(GO) run ./bench/scale $(ARGS)

bench-index: ## the index, what rules cost an edge with a million objects, and the way of an invalidation, as Go benchmarks
	$(GO) test -run '^$$' -bench 'Stale|Match|FirstCheck|Add' -benchmem ./invalidation
	$(GO) test -run '^$$' -bench 'ApplyInvalidation|FirstHit|Sweep' -benchmem ./edge
	$(GO) test -run '^$$' -bench 'Invalidate' -benchtime 300x ./node

performance: ## docs/performance.md, the figures in docs/invalidation.md, and plots from their .json in docs; RESULTS=build/bench/full.json, or invalidation.json, replaces one
	$(GO) run ./bench/page $(if $(RESULTS),-results $(RESULTS))

generate: ## write the generated code anew
	cd tools/wiregen && npm ci --no-audit --no-fund --loglevel=error && node generate.mjs

generated: ## fail when the generated code differs from what is committed
	@$(MAKE) --no-print-directory generate >/dev/null
	@git diff --exit-code --stat -- cloudfront/wire || { echo "generated code was not current: commit the result of 'make generate'"; exit 1; }

deps: ## Debian packages that the tests use
	@tools/deps

clean: ## forget builds
	rm -rf bin build console/web/dist/assets console/web/dist/index.html
