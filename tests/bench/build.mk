# SPDX-License-Identifier: GPL-2.0
# Benchmarks of the agent: build/tests/bench/ROOM_bench from tests/bench/ROOM_bench.c, linked with the
# optimised objects of agent/ROOM and agent/common.

BENCH_SRC := $(wildcard tests/bench/*_bench.c)
BENCH_BINS := $(BENCH_SRC:%.c=$(BUILD)/%)
BENCH_LIBS := $(AGENT_LIBS) -lcrypt -lpthread

$(BUILD)/user/tests/bench/%.o: CPPFLAGS += $(AGENT_CPPFLAGS) -Iagent

.SECONDEXPANSION:
$(BENCH_BINS): $(BUILD)/tests/bench/%_bench: $(BUILD)/user/tests/bench/%_bench.o \
		$$(addprefix $(BUILD)/user/,$$(addsuffix .o,$$(basename $$(wildcard agent/$$*/*.c agent/common/*.c)))) \
		$(AGENT)/libholdfast.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) -o $@ $^ $(BENCH_LIBS)

bench:
	@scripts/deps bench
	@scripts/kernels uml
	@scripts/build-modules uml
	+@$(build) user $(BENCH_BINS) $(AGENT)/bench/http_stage
	@scripts/bench

CHECK_BINS += $(BENCH_BINS)

.PHONY: bench
