# SPDX-License-Identifier: GPL-2.0
# The eBPF tools: NAME.bpf.c becomes a BPF object by clang, that a header by bpftool, and that with
# NAME.c and common/ the program holdfast-NAME. Included by agent/build.mk.

BPF_TOOLS := top lat snoop trace
BPF_OUT := $(AGENT)/bpf
BPF_CLANG ?= clang
# Debian has it where users do not look.
BPFTOOL ?= $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool || echo bpftool)
BPF_ARCH := $(shell $(CC) -print-multiarch)
# Arguments of a tracepoint that a program does not read are named all the same.
BPF_CFLAGS := -g -O2 -target bpf -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Werror -Iuapi -Iagent/bpf \
	$(if $(BPF_ARCH),-I/usr/include/$(BPF_ARCH))
# -idirafter: agent/common has an err.h, which must not hide the system's.
BPF_CPPFLAGS := -D_GNU_SOURCE -Iagent/bpf -Iagent/bpf/common -Iagent/lib -isystem $(BPF_OUT) \
	-idirafter agent/common
BPF_LIBS := -Wl,--as-needed -lbpf -ljansson $(LIB_LIBS)
BPF_COMMON := $(wildcard agent/bpf/common/*.c)
BPF_PROGRAMS := $(BPF_TOOLS:%=$(AGENT)/holdfast-%)
# What more a tool is made of.
BPF_trace := agent/bpf/trace_file.c

$(BPF_OUT)/%.bpf.o: agent/bpf/%.bpf.c $(wildcard agent/bpf/*.h agent/bpf/common/*.h) uapi/holdfast.h
	@mkdir -p $(@D)
	@command -v $(BPF_CLANG) > /dev/null && [ -x "$(BPFTOOL)" ] || { \
		echo 'agent/bpf: clang and bpftool are needed to build the eBPF tools: scripts/deps build' >&2; \
		exit 1; }
	$(call say,BPF)$(BPF_CLANG) $(BPF_CFLAGS) -c -o $@.new $< && \
		$(BPFTOOL) gen object $@ $@.new && rm -f $@.new

# Not "hf_trace": that is the file's.
$(BPF_OUT)/%.skel.h: $(BPF_OUT)/%.bpf.o
	$(call say,GEN)$(BPFTOOL) gen skeleton $< name $(if $(filter trace,$*),hf_trace_bpf,hf_$*) > $@.new && \
		mv $@.new $@

$(foreach t,$(BPF_TOOLS),$(eval $(BUILD)/user/agent/bpf/$(t).o $(BUILD)/san/agent/bpf/$(t).o: $(BPF_OUT)/$(t).skel.h))

$(BUILD)/user/agent/bpf/%.o: CPPFLAGS += $(BPF_CPPFLAGS) $(HARDEN_CFLAGS)
$(BUILD)/san/agent/bpf/%.o: CPPFLAGS += $(BPF_CPPFLAGS)

# $(1): the tool
define BPF_PROGRAM
$(AGENT)/holdfast-$(1): $(patsubst %.c,$(BUILD)/user/%.o,agent/bpf/$(1).c $(BPF_$(1)) $(BPF_COMMON)) \
		$(AGENT)/common.a $(AGENT)/libholdfast.a
	$$(call say,LD)$$(CC) $$(HARDEN_LDFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(BPF_LIBS)

$(AGENT)/san/holdfast-$(1): $(patsubst %.c,$(BUILD)/san/%.o,agent/bpf/$(1).c $(BPF_$(1)) $(BPF_COMMON)) \
		$(AGENT)/san/common.a $(AGENT)/san/lib.a
	$$(call say,LD)$$(CC) $$(SANFLAGS) -o $$@ $$^ $$(BPF_LIBS)
endef
$(foreach t,$(BPF_TOOLS),$(eval $(call BPF_PROGRAM,$(t))))

# What needs no kernel.
TESTS_bpf := $(patsubst tests/agent/%.c,$(AGENT)/tests/%,$(wildcard tests/agent/test_bpf_*.c))
$(BUILD)/san/tests/agent/test_bpf_%.o: CPPFLAGS += $(BPF_CPPFLAGS) -Itests/agent
$(TESTS_bpf): $(AGENT)/tests/%: $(BUILD)/san/tests/agent/%.o \
		$(patsubst %.c,$(BUILD)/san/%.o,agent/bpf/trace_file.c $(BPF_COMMON)) \
		$(AGENT)/san/common.a $(AGENT)/san/lib.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(SANFLAGS) -o $@ $^ -lcriterion $(BPF_LIBS)
AGENT_TESTS += $(TESTS_bpf)

# What each program costs, on the kernel at hand: run by a person (docs/tools.md).
$(BUILD)/user/tests/agent/bpf_cost.o: CPPFLAGS += $(BPF_CPPFLAGS)
$(BUILD)/user/tests/agent/bpf_cost.o: | $(BPF_TOOLS:%=$(BPF_OUT)/%.skel.h)
$(AGENT)/tests/bpf_cost: $(BUILD)/user/tests/agent/bpf_cost.o
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $^ -lbpf

ALL_USER += $(BPF_PROGRAMS)
CHECK_BINS += $(BPF_TOOLS:%=$(AGENT)/san/holdfast-%) $(AGENT)/tests/bpf_cost

install-agent: install-bpf
install-bpf: $(BPF_PROGRAMS)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BPF_PROGRAMS) $(DESTDIR)$(PREFIX)/bin/
	install -m 644 $(BPF_TOOLS:%=docs/man/holdfast-%.1) $(DESTDIR)$(PREFIX)/share/man/man1/

.PHONY: install-bpf
.SECONDARY: $(BPF_TOOLS:%=$(BPF_OUT)/%.skel.h) $(BPF_TOOLS:%=$(BPF_OUT)/%.bpf.o)
