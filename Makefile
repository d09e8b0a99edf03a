# The front door. `make demo` and `make test` need nothing but Swift (or a Debian that has it).
SHELL := /bin/bash
SWIFT ?= swift
DESTDIR ?=
PREFIX ?= /usr
RELEASE := .build/release
# Swift's regular expressions would be linked in whole for a search in a text: 1.4 MB of the daemon. Nothing here uses them.
LEAN := -Xswiftc -Xfrontend -Xswiftc -disable-implicit-string-processing-module-import
# Swift's own linker, where it is there, packs relative relocations and folds equal functions; an executable exports nothing.
# Together 1.2 MB. Packed relocations need glibc 2.36: Debian 12, Raspberry Pi OS of 2023.
ifneq ($(shell p=$$(readlink -f "$$(command -v $(SWIFT))"); ls "$${p%/*}/ld.lld" 2>/dev/null),)
LEAN += -Xswiftc -use-ld=lld -Xlinker --icf=safe -Xlinker -z -Xlinker pack-relative-relocs -Xlinker --no-export-dynamic
endif
# One version for the binaries and the package.
VERSION := $(shell sed -n 's/.*line = "Baudgate version \(.*\)".*/\1/p' Sources/Telemetry/Version.swift)

.PHONY: all setup build demo test check format lint bench fuzz vm-test install deb clean

all: build

setup:
	@scripts/setup

build: setup
	$(SWIFT) build -c release --static-swift-stdlib $(LEAN)

demo: build
	$(RELEASE)/baudgate-simulator demo $(DEMO)

# The end-to-end tests start the release binaries, and wait for them one after the other: beside others they wait in vain.
test: build
	$(SWIFT) test --skip EndToEnd
	$(SWIFT) test --skip-build --no-parallel --filter EndToEnd

check: lint test

format:
	$(SWIFT) format --in-place --recursive --configuration .swift-format Sources Tests Package.swift

lint: setup
	$(SWIFT) format lint --strict --recursive --configuration .swift-format Sources Tests Package.swift

bench: build
	Benchmarks/run $(BENCH)

# FUZZ: seconds for each of its parts; BAUDGATE_FUZZ_SEED begins elsewhere. CI runs a third of a second of each.
FUZZ ?= 60
fuzz:
	BAUDGATE_FUZZ_SECONDS=$(FUZZ) $(SWIFT) test --filter Fuzz

# As root: it makes the disk of a virtual machine. See docs/virtual-machine.md.
vm-test: build
	Tests/VirtualMachine/run $(VM_TEST)

# Apart from build: root mostly has no Swift in PATH, and its files would be in the way of the next build.
install:
	@test -x $(RELEASE)/baudgated && test -x $(RELEASE)/baudgate || { echo "run 'make build' first" >&2; exit 1; }
	install -D -m 0755 -s $(RELEASE)/baudgated $(DESTDIR)$(PREFIX)/libexec/baudgate/baudgated
	install -D -m 0755 -s $(RELEASE)/baudgate $(DESTDIR)$(PREFIX)/bin/baudgate
	install -D -m 0755 etc/libexec/install-deb $(DESTDIR)$(PREFIX)/libexec/baudgate/install-deb
	install -d -m 0755 $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 0644 systemd/*.service systemd/*.path $(DESTDIR)$(PREFIX)/lib/systemd/system/
	install -D -m 0644 systemd/system-preset/50-baudgate.preset $(DESTDIR)$(PREFIX)/lib/systemd/system-preset/50-baudgate.preset
	install -D -m 0644 systemd/sysusers.d/baudgate.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/baudgate.conf
	install -D -m 0644 etc/udev/60-baudgate.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/60-baudgate.rules
	install -D -m 0644 etc/polkit-1/rules.d/50-baudgate.rules $(DESTDIR)$(PREFIX)/share/polkit-1/rules.d/50-baudgate.rules
	install -d -m 0755 $(DESTDIR)$(PREFIX)/share/doc/baudgate/examples
	install -m 0644 README.md docs/*.md $(DESTDIR)$(PREFIX)/share/doc/baudgate/
	install -m 0644 etc/baudgate/examples/*.yaml $(DESTDIR)$(PREFIX)/share/doc/baudgate/examples/
	install -d -m 0755 $(DESTDIR)$(PREFIX)/share/baudgate/maps
	install -m 0644 etc/baudgate/maps/*.yaml $(DESTDIR)$(PREFIX)/share/baudgate/maps/
	test -e $(DESTDIR)/etc/baudgate/baudgate.yaml || \
	  install -D -m 0640 etc/baudgate/baudgate.yaml $(DESTDIR)/etc/baudgate/baudgate.yaml

deb: build
	scripts/deb $(VERSION)

clean:
	rm -rf .build dist
