# SPDX-License-Identifier: GPL-2.0
# Fuzz targets: build/fuzz/NAME with libFuzzer (`make fuzz`), build/tests/fuzz/NAME with gcc and
# replay.c (`make check`).

FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_NAMES := $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%)
FUZZ_REPLAY := $(FUZZ_NAMES:%=$(BUILD)/tests/fuzz/%)
FUZZ_BINS := $(FUZZ_NAMES:%=$(BUILD)/fuzz/%)
FUZZ_S ?= 60
FUZZ_CC := clang
FUZZ_CFLAGS := -O1 -g -std=gnu11 -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-unknown-warning-option -Iuapi
FUZZ_CPPFLAGS := $(AGENT_CPPFLAGS) -Iagent -Iagent/ctl
FUZZ_LIBS := $(AGENT_LIBS) -lcurl -lpthread

# The folders of agent/ that a target names in its first lines; main() of a program is none of them.
fuzz_links = $(shell sed -n '1,3s|.*links: \(.*\) \*/|\1|p' tests/fuzz/fuzz_$(1).c)
fuzz_code = $(filter-out agent/ctl/main.c agent/daemon/main.c agent/audit/verify/main.c,$(wildcard $(patsubst %,agent/%/*.c,$(call fuzz_links,$(1)))))

$(BUILD)/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)$(FUZZ_CC) $(FUZZ_CFLAGS) $(FUZZ_CPPFLAGS) -MD -MP -c -o $@ $<

-include $(shell find $(BUILD)/fuzz/obj -name '*.d' 2>/dev/null)

$(BUILD)/san/tests/fuzz/%.o: CPPFLAGS += $(FUZZ_CPPFLAGS)

.SECONDEXPANSION:
$(FUZZ_BINS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o \
		$$(addprefix $(BUILD)/fuzz/obj/,$$(addsuffix .o,$$(basename $$(call fuzz_code,$$*))))
	$(call say,LD)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(FUZZ_LIBS)

$(FUZZ_REPLAY): $(BUILD)/tests/fuzz/%: $(BUILD)/san/tests/fuzz/fuzz_%.o $(BUILD)/san/tests/fuzz/replay.o \
		$$(addprefix $(BUILD)/san/,$$(addsuffix .o,$$(basename $$(call fuzz_code,$$*))))
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(SANFLAGS) -o $@ $^ $(FUZZ_LIBS)

CHECK_BINS += $(FUZZ_REPLAY)

fuzz:
	@scripts/deps fuzz
	@$(MAKE) --no-print-directory $(FUZZ_BINS)
	@scripts/fuzz $(FUZZ_S) $(FUZZ_NAMES)

.PHONY: fuzz
