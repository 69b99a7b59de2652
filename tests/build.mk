# SPDX-License-Identifier: GPL-2.0
# Unit tests: every tests/unit/test_*.c becomes build/tests/unit/test_*, linked with all of
# kmod/rules and the shared helpers beside it, under ASan and UBSan.

# -idirafter, not -I: kmod/rules has a limits.h, which must not hide the system's.
UNIT_CPPFLAGS := -idirafter kmod/rules -Itests/unit

UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
UNIT_HELPERS := $(patsubst %.c,$(BUILD)/san/%.o,$(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c)))
RULES_SAN := $(patsubst %.c,$(BUILD)/san/%.o,$(wildcard kmod/rules/*.c))

$(BUILD)/san/tests/unit/%.o: CPPFLAGS += $(UNIT_CPPFLAGS)

# The one file with vectors; which way is used is decided when a program runs.
$(BUILD)/san/kmod/rules/dot_avx2.o $(BUILD)/user/kmod/rules/dot_avx2.o: \
	CPPFLAGS += $(if $(filter x86_64,$(shell uname -m)),-mavx2)

$(BUILD)/san/librules.a: $(RULES_SAN)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(UNIT_TESTS): $(BUILD)/tests/unit/%: $(BUILD)/san/tests/unit/%.o $(UNIT_HELPERS) $(BUILD)/san/librules.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(SANFLAGS) -o $@ $^ -lcriterion -lm

CHECK_BINS += $(UNIT_TESTS)

-include tests/vm/build.mk
