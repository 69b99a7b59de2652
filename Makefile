# SPDX-License-Identifier: GPL-2.0
# Holdfast's build.  `make help` lists the targets.
#
# Userspace joins by a fragment, build.mk, in agent/ or tests/.  A fragment has these to work with:
#   BUILD      the output folder; objects of a.c by rule: $(BUILD)/user/a.o, and with sanitizers
#              $(BUILD)/san/a.o (headers are tracked)
#   CC CFLAGS  strict flags (warnings are errors), with -Iuapi;  SANFLAGS: ASan and UBSan
#   ALL_USER += target      built by `make`
#   CHECK_BINS += target    built for `make check`; tests/steps.d/ says how they are run
#   install-user: target    installs below $(DESTDIR)$(PREFIX)
#   $(call say,CC)command   a recipe line that says CC and its target instead of the command

SHELL := /bin/bash
BUILD := build
PREFIX ?= /usr/local

# The running kernel if its headers are here, else the newest stock kernel of the tests.
KVER ?= $(if $(wildcard /lib/modules/$(shell uname -r)/build),$(shell uname -r),6.12)

CC := gcc
# Recipes say one word each; make V=1 shows the commands.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@; )
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Iuapi
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

ALL_USER :=
CHECK_BINS :=

all: modules user

help:
	@echo 'make                    modules for the running kernel (else 6.12) and userspace'
	@echo 'make modules KVER=K     K: 6.1 6.12 rt uml uml-debug mainline, or a release with headers; W=1 C=2'
	@echo 'make install            modules for KVER and userspace (DESTDIR, PREFIX)'
	@echo 'make check              every test; make check-debug: scenarios on the debug kernel'
	@echo 'make fuzz FUZZ_S=600     every fuzz target for so many seconds; make bench: build/bench.json'
	@echo 'make demo               from a bare Debian 12 to a running array in a virtual machine'
	@echo 'make clean              remove build/ (kernels stay in the cache)'

modules:
	+@scripts/build-modules '$(KVER)'

-include agent/build.mk tests/build.mk tests/fuzz/build.mk tests/bench/build.mk

user: $(ALL_USER)
check-bins: $(CHECK_BINS)

$(BUILD)/user/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS) $(CPPFLAGS) -MD -MP -c -o $@ $<

$(BUILD)/san/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS) $(SANFLAGS) $(CPPFLAGS) -MD -MP -c -o $@ $<

-include $(shell find $(BUILD)/user $(BUILD)/san -name '*.d' 2>/dev/null)

install: install-modules install-user install-system
install-user: user

# The group that may use arrays, and the stable names of their nodes; the agent's users and service.
install-system:
	install -D -m 644 scripts/packaging/udev/72-holdfast.rules \
		$(DESTDIR)/usr/lib/udev/rules.d/72-holdfast.rules
	install -D -m 644 scripts/packaging/sysusers.d/holdfast.conf \
		$(DESTDIR)/usr/lib/sysusers.d/holdfast.conf
	install -D -m 644 scripts/packaging/tmpfiles.d/holdfast.conf \
		$(DESTDIR)/usr/lib/tmpfiles.d/holdfast.conf
	install -d $(DESTDIR)/usr/lib/systemd/system
	for unit in scripts/packaging/systemd/*.service; do \
		sed 's|/usr/local/sbin/|$(PREFIX)/sbin/|' "$$unit" \
			> $(DESTDIR)/usr/lib/systemd/system/"$${unit##*/}" || exit; \
	done
	install -D -m 644 scripts/packaging/needrestart/holdfast.conf \
		$(DESTDIR)/etc/needrestart/conf.d/holdfast.conf

install-modules: modules
	@scripts/install-modules '$(KVER)' '$(DESTDIR)'

# As many at a time as there are processors, unless somebody has said how many.
build = $(MAKE) --no-print-directory $$(case "$$MAKEFLAGS" in *jobserver*) ;; *) echo "-j$$(nproc)" ;; esac)

# The dependencies come first: what fragments ask pkg-config for is only there afterwards.
check:
	@scripts/deps check
	@scripts/kernels tools 6.1 6.12 uml
	+@$(build) user check-bins
	@tests/run

check-debug:
	@scripts/deps check
	@scripts/kernels uml-debug
	+@$(build) user check-bins
	@tests/run --debug

demo:
	@scripts/deps demo
	@$(MAKE) --no-print-directory modules KVER=6.12
	+@$(build) user
	@scripts/vm --kernel 6.12 -- scripts/demo

clean:
	rm -rf $(BUILD)

.PHONY: all help modules user check-bins install install-user install-system install-modules check check-debug \
	demo clean
