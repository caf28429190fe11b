# make help tells what there is. The only prerequisites are a Go that is 1.26
# or fetches it, make, and apt (Debian, Ubuntu).

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(SYSCONFDIR)/systemd/system
DESTDIR    ?=
BUILT      ?= build/alignd
FUZZTIME   ?= 30s
BENCH      ?= .

# Of git's tags; 'make VERSION=1.2.3 ...' where there is no git.
VERSION    := $(shell packaging/version)

BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
# Where each shell looks for the completion of a command.
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR  = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
GOBUILD = -trimpath -ldflags '-X main.version=$(VERSION)'

# A package is made for this machine, or for ARCH=amd64, ARCH=arm64, ARCH=i386 and
# so on, Debian's words. What goes into it depends on nothing but the commit and
# the release of Go.
ARCH       ?= $(shell dpkg --print-architecture 2>/dev/null || go env GOARCH)
OS         ?= linux
DEBDIR     ?= build/deb
GOARCHOF    = $(or $(patsubst i386,386,$(filter i386,$(1))),$(patsubst armhf,arm,$(filter armhf,$(1))),$(patsubst ppc64el,ppc64le,$(filter ppc64el,$(1))),$(1))
SOURCE_DATE_EPOCH ?= $(shell packaging/version date)
MAINTAINER ?= $(shell packaging/version maintainer)
# Root is needed to start a private Postfix; nothing else runs as root.
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.DEFAULT_GOAL := build
.PHONY: help build demo demo-pages pages test faults shadow compare million ten-million unit scores lint cross fmt e2e fuzz bench deb static sbom release container packages \
	install uninstall clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build/alignd
	go build $(GOBUILD) -o build/ ./cmd/alignd

demo: ## show alignd at work behind a private Postfix
	@e2e/install mta
	@go build $(GOBUILD) -o build/ ./cmd/alignd ./e2e/demo
	@$(ROOT) build/demo -alignd build/alignd

demo-pages: ## plant a world of 30 days, 200,000 messages, and show it in the pages
	@go build $(GOBUILD) -o build/ ./cmd/alignd ./e2e/demopages
	@build/demopages -alignd build/alignd

# Chromium and axe-core look at them too. SCREENSHOTS=FOLDER keeps pictures.
pages: ## click through the pages in Chromium, wide and narrow, with scripts and without
	e2e/install pages
	go build $(GOBUILD) -o build/ ./cmd/alignd
	env ALIGND_PAGES=1 ALIGND_BINARY=$(CURDIR)/build/alignd ALIGND_AXE=$(CURDIR)/build/npm/node_modules/axe-core/axe.min.js \
		ALIGND_SCREENSHOTS=$(abspath $(SCREENSHOTS)) go test -count=1 -v -timeout 10m ./e2e/pages

test: ## everything: linters, unit tests with the race detector, cases through a real Postfix
	e2e/install all
	$(MAKE) --no-print-directory lint unit scores e2e

lint: ## gofmt, go vet, staticcheck, and whether CHANGELOG.md tells of what changed
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "not gofmt'ed: $$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	@.ci/changelog

# Where Sendmail is still at home, and the other machines that alignd runs on.
CROSS = linux/amd64 linux/arm64 linux/386 freebsd/amd64 freebsd/arm64 openbsd/amd64
cross: ## builds for other systems and processors, and what go vet says of FreeBSD
	CGO_ENABLED=0 GOOS=freebsd go vet ./...
	@for at in $(CROSS); do \
		echo "CGO_ENABLED=0 GOOS=$${at%/*} GOARCH=$${at#*/} go build ./cmd/alignd"; \
		CGO_ENABLED=0 GOOS=$${at%/*} GOARCH=$${at#*/} go build -o /dev/null ./cmd/alignd || exit 1; \
	done

# The published suites and the comparisons with other implementations, which take long
# with the race detector and have one goroutine: scores runs them.
SCORED = Suite|Library|Differential|Oracle|Agree|Naive
# Further tests of one goroutine that try very many inputs, and where they are.
PATIENT = OnlyFollows|HostileTextIsShown|JournalOfAllCases|NoSuggestionLets|CheckOfAllCases|TextThatIsSentCostsLittle|InvariantsOfExceptions|TooLongToKeep|OfTheClientMakes?AnotherAddress|NoPageIsLarge|HostileFromIsLinear|TokensAgainstNetMail|BoundsAreNamed|LongReportIsNoBomb|ManyTextsCostLittle|TheDocumentedQueries$$|SearchFindsAllThatMatches|NewestIsWhatSearchFindsFirst
PATIENT_IN = ./cmd/alignd ./config ./header ./journal/sqlite ./policy ./record ./report/read ./verify/relay ./web
# Many tests wait, so three packages run on two cores.
unit:
	CGO_ENABLED=1 go test -p $$(( $$(nproc) + 1 )) -race -skip '$(PATIENT)' $$(go list ./... | grep -vE '^alignd/(verify|header)(/|$$)')
	CGO_ENABLED=1 go test -p $$(( $$(nproc) + 1 )) -race -skip '$(SCORED)|$(PATIENT)' ./verify/... ./header/...
	go test -run '$(PATIENT)' $(PATIENT_IN)

# What go test keeps to itself when all is well: how they came out.
scores:
	@go test -count=1 -v -run '$(SCORED)' ./verify/... ./header | \
		grep -E '^(ok|FAIL|---)|^ +[a-z_]+_test.go:[0-9]+: ' | grep -v 'no tests to run'

# The tests are built as the caller and run as root, with the daemon under the
# race detector except where its memory is measured. Those of ./e2e measure times, so
# they run alone; the others, which do not, two packages at a time, the longest first.
E2E_IN = $(shell grep -rl --include=*_test.go ALIGND_E2E . | xargs -n1 dirname | sort -ru)
e2e:
	CGO_ENABLED=1 go build -race -o build/race/ ./cmd/alignd
	go build $(GOBUILD) -o build/ ./cmd/alignd ./e2e/demo
	@mkdir -p build/tests
	go test -c -o build/tests/ $(E2E_IN)
	@e2e/run ./e2e
	@e2e/run $(filter-out ./e2e,$(E2E_IN))

# Built as the caller and run as root, as in e2e. A test whose name begins with
# TestFault also runs in make test, with fewer repetitions or, where it takes a
# daemon built for it, not at all.
faults: ## each fault under load, with what became of the mail: restarts, kill -9, DNS, log, journal, clock, panics, PostgreSQL
	e2e/install faults
	go build $(GOBUILD) -o build/ ./cmd/alignd
	go run ./e2e/faulty build/faulty
	go test -c -o build/e2e.test ./e2e
	@rm -f build/faults.md
	@(cd e2e && $(ROOT) env ALIGND_E2E=1 ALIGND_FAULTS=1 ALIGND_FAULT_TABLE=$(CURDIR)/build/faults.md \
		ALIGND_FAULTY=$(CURDIR)/build/faulty ALIGND_BINARY=$(CURDIR)/build/alignd \
		$(CURDIR)/build/e2e.test -test.v -test.parallel 4 -test.run '^TestFault[A-Z]' -test.timeout 60m; echo $$? > $(CURDIR)/build/faults.status) | \
		grep --line-buffered -v '^=== '; \
	if [ "$$(cat build/faults.status)" != 0 ]; then echo "faults: failed"; exit 1; fi
	@echo; cat build/faults.md

# Built as the caller and run as root, as in e2e.
shadow: ## alignd behind real filters: opendkim and opendmarc, rspamd; each planted difference is named
	e2e/install shadow
	go build $(GOBUILD) -o build/ ./cmd/alignd
	go test -c -o build/e2e.test ./e2e
	cd e2e && $(ROOT) env ALIGND_E2E=1 ALIGND_SHADOW=1 ALIGND_BINARY=$(CURDIR)/build/alignd \
		$(CURDIR)/build/e2e.test -test.v -test.run '^TestShadow' -test.timeout 5m

# Root is needed for namespaces of its own. mox is left out where its module cannot be fetched.
compare: ## docs/compare.md: what other filters say of the messages of the cases
	e2e/install shadow
	go build $(GOBUILD) -o build/ ./cmd/alignd ./e2e/compare
	@rm -f build/mox; cd e2e/compare/mox && go build -trimpath -o $(CURDIR)/build/mox . || echo "mox is left out"
	$(ROOT) build/compare -alignd build/alignd $$(test -x build/mox && echo -mox build/mox) -write docs/compare.md

# The journal is kept in the folder JOURNAL and in the database of the URL DATABASE, if these
# are set, and used again.
million: RECORDS = 1000000
million: ## questions to a million records of 90 days in each store, pages and replays of them, in time
ten-million: RECORDS = 10000000
ten-million: ## the same of ten million, which takes an hour and 13 GB below TMPDIR
million ten-million:
	e2e/install faults
	go build $(GOBUILD) -o build/ ./cmd/alignd
	go test -c -o build/e2e.test ./e2e
	cd e2e && env ALIGND_E2E=1 ALIGND_RECORDS=$(RECORDS) ALIGND_JOURNAL=$(abspath $(JOURNAL)) ALIGND_DATABASE='$(DATABASE)' ALIGND_BINARY=$(CURDIR)/build/alignd \
		$(CURDIR)/build/e2e.test -test.v -test.run '^TestQuestions' -test.timeout 2h

fmt: ## gofmt all files
	gofmt -w .

fuzz: ## each fuzz target for FUZZTIME (30s); tells at the end which found something
	@e2e/fuzz $(FUZZTIME)

bench: ## benchmarks, the daemon under load, messages through real MTAs; BENCH=regexp chooses
	e2e/install all
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	go build $(GOBUILD) -o build/ ./cmd/alignd ./e2e/load
	build/load
	build/load -tcp
	build/load -c 1 -n 1000
	build/load -sizes 1e3,1e4,1e5,1e6,1e7,1e8
	$(ROOT) build/load -through postfix -n 200
	$(ROOT) build/load -through sendmail -n 200

# One file that needs nothing of the machine, without a trace of where it was made.
STATIC = $(DEBDIR)/$(OS)-$(ARCH)/alignd
static:
	CGO_ENABLED=0 GOOS=$(OS) GOARCH=$(call GOARCHOF,$(ARCH)) go build -buildvcs=false -trimpath \
		-ldflags '-s -w -X main.version=$(VERSION)' -o $(STATIC) ./cmd/alignd

deb packages: export VERSION := $(VERSION)
deb packages: export ARCH := $(ARCH)
deb packages: export SOURCE_DATE_EPOCH := $(SOURCE_DATE_EPOCH)
deb packages: export MAINTAINER := $(MAINTAINER)
deb: static ## build/deb/alignd_VERSION_ARCH.deb; ARCH=arm64 makes one for another machine
	packaging/deb/build $(STATIC) $(DEBDIR)

BOM = $(DEBDIR)/alignd_$(VERSION)_$(OS)_$(ARCH)
sbom: static ## build/deb/alignd_VERSION_OS_ARCH.cdx.json and .modules.txt: what the binary was made of
	go version -m $(STATIC) | sed '1s|^[^:]*|alignd|' >$(BOM).modules.txt
	go run ./packaging/bom cyclonedx $(STATIC) $(VERSION) >$(BOM).cdx.json

release: ## build/release: packages, binaries and bills of materials of each machine, and SHA256SUMS
	rm -rf build/release
	@for arch in amd64 arm64; do \
		$(MAKE) deb sbom VERSION=$(VERSION) DEBDIR=build/release ARCH=$$arch && \
		$(MAKE) sbom VERSION=$(VERSION) DEBDIR=build/release ARCH=$$arch OS=freebsd || exit 1; \
		for os in linux freebsd; do \
			mv build/release/$$os-$$arch/alignd build/release/alignd_$(VERSION)_$${os}_$$arch && rmdir build/release/$$os-$$arch || exit 1; \
		done; \
	done
	cd build/release && sha256sum alignd_* >SHA256SUMS && cat SHA256SUMS

container: export SOURCE_DATE_EPOCH := $(SOURCE_DATE_EPOCH)
container: static ## the image localhost/alignd, by buildah, podman or docker
	packaging/container/build $(STATIC) build/container localhost/alignd:latest

# In namespaces of their own: ports, and what would be mounted.
packages: ## the package: lintian, two builds with one hash, its life in a fresh Debian 12; and the image
	e2e/install packages
	$(MAKE) deb
	packaging/deb/twice $(DEBDIR)/alignd_*_$(ARCH).deb
	$(MAKE) deb DEBDIR=build/deb/next VERSION=99.0.0
	go test -c -o build/e2e.test ./e2e
	@(cd e2e && $(ROOT) env ALIGND_E2E=1 ALIGND_PACKAGES=$(CURDIR)/$(DEBDIR) unshare -m -n \
		$(CURDIR)/build/e2e.test -test.v -test.run '^TestPackage' -test.timeout 15m; echo $$? > $(CURDIR)/build/packages.status) | \
		grep --line-buffered -v '^=== '; \
	if [ "$$(cat build/packages.status)" != 0 ]; then echo "packages: failed"; exit 1; fi

install: ## what make built: binary, units, man pages, completion, a first configuration, the users alignd and alignd-web
	@test -x $(BUILT) || { echo "nothing built yet: run make, then make install"; exit 1; }
	install -D -m 0755 $(BUILT) $(DESTDIR)$(BINDIR)/alignd
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/alignd
	sed 's|@BINDIR@|$(BINDIR)|g' systemd/alignd.service > $(DESTDIR)$(UNITDIR)/alignd.service
	chmod 0644 $(DESTDIR)$(UNITDIR)/alignd.service
	install -m 0644 systemd/alignd.socket $(DESTDIR)$(UNITDIR)/alignd.socket
	sed 's|@BINDIR@|$(BINDIR)|g' systemd/alignd-web.service > $(DESTDIR)$(UNITDIR)/alignd-web.service
	chmod 0644 $(DESTDIR)$(UNITDIR)/alignd-web.service
	@for page in $(wildcard docs/man/*.[1-8]); do \
		install -D -m 0644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; \
	done
	install -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	$(BUILT) completion bash > $(DESTDIR)$(BASHDIR)/alignd
	$(BUILT) completion zsh > $(DESTDIR)$(ZSHDIR)/_alignd
	$(BUILT) completion fish > $(DESTDIR)$(FISHDIR)/alignd.fish
	chmod 0644 $(DESTDIR)$(BASHDIR)/alignd $(DESTDIR)$(ZSHDIR)/_alignd $(DESTDIR)$(FISHDIR)/alignd.fish
	@conf=$(DESTDIR)$(SYSCONFDIR)/alignd/alignd.yaml; if [ -e $$conf ]; then echo "kept $$conf"; else \
		install -m 0644 packaging/alignd.yaml $$conf; echo "wrote $$conf, with mode: monitor, which refuses nothing"; fi
	@if [ -z "$(DESTDIR)" ] && ! getent passwd alignd >/dev/null; then \
		useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin alignd && \
		echo "created the user alignd"; fi
	@if [ -z "$(DESTDIR)" ] && ! getent passwd alignd-web >/dev/null; then \
		useradd --system --user-group --groups alignd --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin alignd-web && \
		echo "created the user alignd-web, for the pages"; fi
	@echo
	@echo "Start it:            systemctl daemon-reload && systemctl enable --now alignd.socket alignd"
	@echo "Then in main.cf, in front of the milters that 'postconf -h smtpd_milters' shows:"
	@echo "                     smtpd_milters = inet:127.0.0.1:8890 ..."
	@echo "and, to let mail wait while alignd is away rather than pass unverified:"
	@echo "                     milter_default_action = tempfail"
	@echo "It refuses nothing until you write 'mode: enforce' in place of 'mode: monitor' in $(SYSCONFDIR)/alignd/alignd.yaml."

uninstall: ## removes what install put in place; keeps configuration and user
	rm -f $(DESTDIR)$(BINDIR)/alignd $(DESTDIR)$(UNITDIR)/alignd.service $(DESTDIR)$(UNITDIR)/alignd.socket $(DESTDIR)$(UNITDIR)/alignd-web.service
	rm -f $(DESTDIR)$(BASHDIR)/alignd $(DESTDIR)$(ZSHDIR)/_alignd $(DESTDIR)$(FISHDIR)/alignd.fish
	@for page in $(wildcard docs/man/*.[1-8]); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done

clean: ## removes build/
	rm -rf build
