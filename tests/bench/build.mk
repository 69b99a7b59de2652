# SPDX-License-Identifier: GPL-2.0
# Benchmarks of the agent: build/tests/bench/ROOM_bench from tests/bench/ROOM_bench.c, linked with the
# optimised objects of agent/ROOM and agent/common. What the *_bench.py run is built below.

BENCH_SRC := $(wildcard tests/bench/*_bench.c)
BENCH_BINS := $(BENCH_SRC:%.c=$(BUILD)/%)
BENCH_LIBS := $(AGENT_LIBS) -lcrypt -lpthread

$(BENCH_SRC:%.c=$(BUILD)/user/%.o): CPPFLAGS += $(AGENT_CPPFLAGS) -Iagent

.SECONDEXPANSION:
$(BENCH_BINS): $(BUILD)/tests/bench/%_bench: $(BUILD)/user/tests/bench/%_bench.o \
		$$(addprefix $(BUILD)/user/,$$(addsuffix .o,$$(basename $$(wildcard agent/$$*/*.c agent/common/*.c)))) \
		$(AGENT)/libholdfast.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -o $@ $^ $(BENCH_LIBS)

# The rules as the kernel compiles them: what of them uses vector instructions is in files of its
# own, *_avx2.c, and nothing else may. An ordinary program's -O2 would put them everywhere.
BENCH_RULES := $(patsubst %.c,$(BUILD)/bench/rules/%.o,$(wildcard kmod/rules/*.c))
BENCH_KERNEL_FLAGS := -mgeneral-regs-only -fno-strict-aliasing -fno-strict-overflow -fno-tree-vectorize \
	-fno-tree-slp-vectorize -mno-red-zone

$(BUILD)/bench/rules/%.o: BENCH_RULES_FLAGS = $(BENCH_KERNEL_FLAGS)
$(BUILD)/bench/rules/%_avx2.o: BENCH_RULES_FLAGS = -mavx2

$(BUILD)/bench/rules/%.o: %.c $(wildcard kmod/rules/*.h)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CFLAGS) $(BENCH_RULES_FLAGS) -c -o $@ $<

$(BUILD)/user/tests/bench/%_cost.o $(BUILD)/user/tests/bench/%_guest.o: CPPFLAGS += -idirafter kmod/rules -Itests/vm

$(BUILD)/user/tests/bench/fanout_guest.o: CPPFLAGS += $(shell pkg-config --cflags libnl-genl-3.0)
$(BUILD)/tests/bench/fanout_guest: BENCH_GUEST_LIBS = $(shell pkg-config --libs libnl-genl-3.0)

$(BUILD)/tests/bench/driver_guest: BENCH_GUEST_LIBS = -luring

$(BUILD)/tests/bench/rules_cost: $(BUILD)/user/tests/bench/rules_cost.o $(BENCH_RULES)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -o $@ $^ -lm

# Programs that run in guests. The broker's rules are an ordinary program's.
BENCH_GUESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*_guest.c))

$(BENCH_GUESTS): $(BUILD)/%: $(BUILD)/user/%.o $(VM_HELPER_OBJS) \
		$(patsubst %.c,$(BUILD)/user/%.o,$(wildcard kmod/rules/*.c))
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -o $@ $^ $(BENCH_GUEST_LIBS) -lm -lpthread

BENCH_BINS += $(BUILD)/tests/bench/rules_cost $(BENCH_GUESTS)

bench:
	@scripts/deps bench
	@scripts/kernels uml 6.12
	@scripts/build-modules uml
	@scripts/build-modules 6.12
	+@$(build) user $(BENCH_BINS) $(AGENT)/bench/http_stage
	@scripts/bench

CHECK_BINS += $(BENCH_BINS)

.PHONY: bench
