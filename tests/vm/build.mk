# SPDX-License-Identifier: GPL-2.0
# Programs that run in a booted kernel: every tests/vm/X.c that is no helper becomes
# build/tests/vm/X, linked with the helpers; each of abi*.c, adversary*.c and datapath*.c is one program.

VM_HELPERS := scene scene_calls scene_players ledger physics
VM_ADVERSARY := $(patsubst tests/vm/%.c,%,$(wildcard tests/vm/adversary*.c))
VM_ABI := $(patsubst tests/vm/%.c,%,$(wildcard tests/vm/abi*.c))
VM_DATAPATH := $(patsubst tests/vm/%.c,%,$(wildcard tests/vm/datapath*.c))
VM_SOURCES := $(patsubst tests/vm/%.c,%,$(wildcard tests/vm/*.c))
VM_TESTS := $(patsubst %,$(BUILD)/tests/vm/%,abi adversary datapath \
	$(filter-out $(VM_HELPERS) $(VM_ABI) $(VM_ADVERSARY) $(VM_DATAPATH),$(VM_SOURCES)))
VM_HELPER_OBJS := $(patsubst %,$(BUILD)/user/tests/vm/%.o,$(VM_HELPERS))

$(BUILD)/user/tests/vm/%.o: CPPFLAGS += -Itests/vm

$(BUILD)/tests/vm/abi: $(patsubst %,$(BUILD)/user/tests/vm/%.o,$(VM_ABI))
$(BUILD)/tests/vm/adversary: $(patsubst %,$(BUILD)/user/tests/vm/%.o,$(VM_ADVERSARY))
$(BUILD)/tests/vm/datapath: $(patsubst %,$(BUILD)/user/tests/vm/%.o,$(VM_DATAPATH))
$(BUILD)/tests/vm/datapath $(BUILD)/tests/vm/adversary: VM_LIBS := -l:liburing.a

$(VM_TESTS): $(BUILD)/tests/vm/%: $(BUILD)/user/tests/vm/%.o $(VM_HELPER_OBJS)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) -o $@ $(sort $^) $(VM_LIBS) -lm -lpthread

CHECK_BINS += $(VM_TESTS)

# The ABI test as a 32-bit program, static because guests have no 32-bit libraries for certain.
$(BUILD)/tests/vm/abi32: $(patsubst %,tests/vm/%.c,$(VM_ABI) $(VM_HELPERS)) \
		$(wildcard tests/vm/*.h uapi/*.h)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) -m32 -static -Itests/vm -o $@ $(filter %.c,$^) -lm -lpthread

CHECK_BINS += $(BUILD)/tests/vm/abi32
