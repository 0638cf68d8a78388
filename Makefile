# SPDX-License-Identifier: GPL-2.0
#
# Builds and tests kvirt. Everything made lies below build/; the source tree stays as it is. `make help` lists the targets.

MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash

# Hosts and guests with another kernel: make check META=linux-image-6.12-cloud-amd64 BUILD=$PWD/build-6.12
META   ?= linux-image-cloud-amd64
BUILD  := $(CURDIR)/build
KERNEL := $(BUILD)/kernel
export KVIRT_BUILD = $(BUILD)
KDIR   ?= $(KERNEL)/headers/build
# What the guests of the hosts boot.
GUEST_KERNEL ?= $(KERNEL)

# The emulated host of demo, shell and host-run: svm, vmx, or local (this machine itself).
HOST ?= svm

hosts-script = $(if $(filter svm vmx local,$(HOST)),selftests/hosts/$(HOST),$(error HOST=$(HOST): say svm, vmx or local))

all: build ## build the module, vmrun and the tests

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
	@echo "  HOST=svm|vmx|local      which machine: emulated AMD-V (default), emulated VT-x, or this one"

build: module vmrun selftests examples ## (the same)

deps: ## install the Debian packages needed (root), or name those missing
	@scripts/deps

# --- the kernel of the emulated hosts

$(KERNEL)/release: | deps
	@scripts/host-kernel $(KERNEL) $(META)

kernel: $(KERNEL)/release

# --- the module: built in a mirror of links, so that no object lands among the sources

MODULE_FILES = Kbuild $(shell find kmod include -type f 2>/dev/null)

ifneq ($(wildcard kmod/main.c),)
module: $(BUILD)/kvirt.ko ## build build/kvirt.ko for the hosts' kernel (KDIR= for another)
else
# Without its top layer there is no module, but what is there must compile.
module: $(KERNEL)/release
	@scripts/module-tree $(BUILD)/module
	@$(MAKE) -C $(KDIR) M=$(BUILD)/module kvirt.o
	@echo "make: kmod/main.c is not there yet: objects only, no module"
endif

$(BUILD)/kvirt.ko: $(MODULE_FILES) $(KERNEL)/release
	@scripts/module-tree $(BUILD)/module
	$(MAKE) -C $(KDIR) M=$(BUILD)/module W=$(W) C=$(C) CF="$(CF)" KCFLAGS="$(KCFLAGS)" modules
	@cp $(BUILD)/module/kvirt.ko $@

# The same module, counting its privileged operations (kmod/host/msr.h): for make bench only.
COUNTING = $(BUILD)/kvirt-count.ko

$(COUNTING): $(MODULE_FILES) $(KERNEL)/release
	@scripts/module-tree $(BUILD)/module-count
	$(MAKE) -C $(KDIR) M=$(BUILD)/module-count KCFLAGS="$(KCFLAGS) -DKVIRT_COUNT_PRIVOPS" modules
	@strip -g -o $@ $(BUILD)/module-count/kvirt.ko

# --- the runner

VMRUN = $(BUILD)/vmrun
VMRUN_TESTS = $(patsubst userspace/vmrun/tests/%.c,$(VMRUN)/check/%,$(wildcard userspace/vmrun/tests/test_*.c)) $(VMRUN)/check/test_completion

ifneq ($(wildcard userspace/vmrun/Makefile),)
vmrun: deps ## build build/vmrun/vmrun and its unit tests
	@$(MAKE) --no-print-directory -C userspace/vmrun O=$(VMRUN) all $(VMRUN_TESTS)
	@scripts/vmrun-doc man $(VMRUN)/man/vmrun.1
	@scripts/vmrun-doc completion $(VMRUN)/completion
else
vmrun: deps
	@echo "make: userspace/vmrun is not there yet: no vmrun"
endif

# --- tests

ROOTMODE = $(BUILD)/selftests/module/rootmode.ko

selftests: deps $(ROOTMODE) ## build the test programs
	@$(MAKE) --no-print-directory -C selftests BUILD=$(BUILD)

# A module of the tests' own: looks whether unloading kvirt left a CPU in VMX or SVM mode.
$(ROOTMODE): selftests/module/rootmode/rootmode.c $(KERNEL)/release
	@mkdir -p $(BUILD)/rootmode && cp selftests/module/rootmode/* $(BUILD)/rootmode/
	@$(MAKE) -s -C $(KERNEL)/headers/build M=$(BUILD)/rootmode modules
	@install -D -m 755 $(BUILD)/rootmode/rootmode.ko $@

# And one that makes mistakes, for the kernel of make debug-check.
MISTAKES = $(BUILD)/selftests/debug/mistakes.ko

$(MISTAKES): selftests/debug/mistakes/mistakes.c $(KERNEL)/release
	@mkdir -p $(BUILD)/mistakes && cp selftests/debug/mistakes/* $(BUILD)/mistakes/
	@$(MAKE) -s -C $(KERNEL)/headers/build M=$(BUILD)/mistakes modules
	@install -D -m 755 $(BUILD)/mistakes/mistakes.ko $@

# --- the examples: one file and the UAPI header each, as somebody who writes a VMM would build it

examples: $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c)) ## build the example VMMs

$(BUILD)/examples/%: examples/%.c include/uapi/linux/kvirt.h | deps
	@mkdir -p $(@D)
	@echo "  CC    examples/$*"
	@gcc -O2 -Wall -Wextra -Werror -static -Iinclude/uapi -o $@ $<

abi: vmrun ## write the tables of docs/abi.md anew from userspace/vmrun/abi.def
	@scripts/abi-doc

vmrun-doc: vmrun ## write the tables of docs/vmrun.md anew from userspace/vmrun/options.def
	@scripts/vmrun-doc table

# --- the emulated hosts

$(BUILD)/hosts/%.o: selftests/hosts/bochs/%.S
	@mkdir -p $(@D)
	@as --32 -o $@ $<

$(BUILD)/hosts/rom.bin: $(BUILD)/hosts/rom.o
	@ld -m elf_i386 -Ttext 0 --oformat binary -o $@ $<

$(BUILD)/hosts/stub.bin: $(BUILD)/hosts/stub.o
	@ld -m elf_i386 -Ttext 0x100000 --oformat binary -o $@ $<

BASE_FILES = scripts/initramfs selftests/hosts/init selftests/hosts/guest-init selftests/hosts/guest-virtio selftests/hosts/motd \
	     $(wildcard selftests/hosts/bin/*)

$(BUILD)/hosts/base.cpio: $(KERNEL)/release $(BASE_FILES)
	@scripts/initramfs base $(KERNEL) $(GUEST_KERNEL) $@

# Debian's gdb without Python, unpacked only: to install it would take the other gdb away.
$(BUILD)/gdb/usr/bin/gdb: | deps
	@mkdir -p $(BUILD)/gdb && cd $(BUILD)/gdb && apt-get -q download gdb-minimal && dpkg-deb -x gdb-minimal_*.deb . && touch usr/bin/gdb

# Debian's QEMU and gdb, and what QEMU's guests boot, for the hosts in which they run.
$(BUILD)/hosts/vmms.cpio: $(KERNEL)/release $(BUILD)/gdb/usr/bin/gdb scripts/initramfs scripts/grub-disk selftests/vmms/guest-init | deps
	@scripts/initramfs vmms $(KERNEL) $(BUILD)/gdb $@

# Taken anew each time: it is quick, and stale programs in a host are a trap.
hosts: build $(BUILD)/hosts/base.cpio $(BUILD)/hosts/rom.bin $(BUILD)/hosts/stub.bin
	@scripts/initramfs payload $(BUILD) $(BUILD)/hosts/payload.cpio

CMD ?=
export CMD

demo: hosts ## the main job: vmrun boots Linux on kvirt (HOST=svm|vmx|local)
	@echo "demo: in $(if $(filter local,$(HOST)),this machine,the emulated $(HOST) host): insmod kvirt.ko, then vmrun boots $$(cat $(KERNEL)/release)"
	@$(hosts-script) $(ARGS) 'kvirt load && guest --accel kvirt -m 256'
	@echo "demo: the guest powered off by itself, the host's kernel log is clean"

CHECK ?=
check: hosts $(BUILD)/hosts/vmms.cpio ## run all tests (CHECK='--host svm --only GLOB' for some)
	@selftests/run $(CHECK)

# The hosts' kernel is our own build of Debian's source there, with all that finds mistakes; guests and user space stay the same.
# UBSAN watches our modules alone.
DEBUG_BUILD = $(CURDIR)/build-debug
DEBUG_CHECK ?= $(foreach group,module exits irq abi memory stress,--only '$(group)/*')
debug-check: build ## the module's tests in hosts whose kernel has lockdep, KASAN and more (DEBUG_CHECK="--only 'guest/*'" for some)
	@scripts/deps --for debug-check
	@scripts/debug-kernel $(DEBUG_BUILD)/kernel $(KERNEL)
	@cd $(BUILD) && find vmrun/vmrun selftests examples -type f -perm -u+x ! -name '*.ko' | cpio --quiet -pdmu $(DEBUG_BUILD)
	@$(MAKE) --no-print-directory BUILD=$(DEBUG_BUILD) GUEST_KERNEL=$(KERNEL) UBSAN_SANITIZE=y debug-hosts
	@KVIRT_BUILD=$(DEBUG_BUILD) selftests/debug/proof
	@KVIRT_BUILD=$(DEBUG_BUILD) selftests/run --debug-kernel $(DEBUG_CHECK)

debug-hosts: module $(ROOTMODE) $(MISTAKES) $(BUILD)/hosts/base.cpio
	@scripts/initramfs payload $(BUILD) $(BUILD)/hosts/payload.cpio

# Built with the tests; `make check` runs each for five seconds.
FUZZ_SECONDS ?= 60
FUZZ ?=
fuzz: selftests ## every fuzz target for FUZZ_SECONDS=60 (FUZZ='TARGET...' for some): build/fuzz keeps what they find
	@selftests/fuzz/all --seconds $(FUZZ_SECONDS) $(FUZZ)

shell: hosts ## a prompt of an emulated host, with everything at hand (HOST=svm|vmx)
	@$(hosts-script) --shell $(ARGS)

host-run: hosts ## run CMD='...' in an emulated host (HOST=svm|vmx; ARGS= for its options)
	@$(hosts-script) $(ARGS) "$$CMD"

VMMS ?=
vmms: hosts $(BUILD)/hosts/vmms.cpio ## Debian's QEMU on both devices, in both emulated hosts: each machine type, 1, 2 and 4 vCPUs
	@selftests/vmms/table $(VMMS)

CONFORMANCE ?=
conformance: hosts ## the kernel's own KVM selftests on stock KVM and on kvirt, in both emulated hosts
	@selftests/conformance/build $(BUILD)
	@selftests/conformance/run $(CONFORMANCE)

BENCH ?=
bench: hosts $(COUNTING) ## ticks and privileged operations per exit, on both devices, in both emulated hosts
	@selftests/bench/table $(BENCH)

BENCH_DISK ?=
bench-disk: hosts $(BUILD)/hosts/vmms.cpio ## a guest's disk under vmrun beside the same under QEMU, in the AMD-V host
	@selftests/bench/disk $(BENCH_DISK)

BENCH_VMRUN ?=
bench-vmrun: hosts $(BUILD)/hosts/vmms.cpio ## how fast vmrun's machines start and what memory they take, beside Debian's QEMU (AMD-V)
	@selftests/start/table $(BENCH_VMRUN)

BENCH_NET ?=
bench-net: hosts $(BUILD)/hosts/vmms.cpio ## virtio-net beside QEMU's, over libslirp and a tap interface (BENCH_NET='--only user' for some)
	@selftests/bench/net $(BENCH_NET)

lint: build ## house rules, checkpatch, sparse, the module's symbols
	@scripts/lint

# --- other kernels

MATRIX = 6.12

matrix: kernel ## build the module for the other kernels that Debian offers here; see PREEMPT_RT's refuse it
	@for version in $(MATRIX); do \
		scripts/host-kernel $(BUILD)/kernel-$$version linux-image-$$version-cloud-amd64 && \
		scripts/module-tree $(BUILD)/module-$$version && \
		$(MAKE) -s -C $(BUILD)/kernel-$$version/headers/build M=$(BUILD)/module-$$version modules && \
		scripts/symbols $(BUILD)/module-$$version/kvirt.ko $(BUILD)/kernel-$$version/headers/build/Module.symvers && \
		echo "matrix: $$(cat $(BUILD)/kernel-$$version/release): builds" || exit 1; \
	done
	@$(MAKE) -s host-run META=linux-image-rt-amd64 BUILD=$(BUILD)/rt CMD='sh /tests/module/refuse.sh PREEMPT_RT'

# --- on this machine

PREFIX  ?= /usr/local
VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)

install: vmrun ## module by DKMS, vmrun, man page, headers, udev rule (root)
	@scripts/install $(VERSION) $(PREFIX)

uninstall: ## undo install (root)
	@scripts/install --remove $(VERSION) $(PREFIX)

clean: ## remove what was built, keep the downloaded kernel
	rm -rf $(filter-out $(KERNEL)%,$(wildcard $(BUILD)/*))

distclean: clean ## remove everything below build/
	rm -rf $(BUILD)

.PHONY: all abi vmrun-doc help build deps kernel module vmrun selftests examples hosts demo check debug-check debug-hosts fuzz vmms shell host-run conformance bench bench-disk bench-net bench-vmrun lint \
	matrix install uninstall clean distclean
