# SPDX-License-Identifier: GPL-2.0
# libholdfast and holdfastctl, and the unit tests of the library. Included by the top Makefile.

HF_VERSION := 0.1.0
HF_SONAME := libholdfast.so.0

AGENT := $(BUILD)/agent
LIB_SRC := $(wildcard agent/lib/*.c)
CTL_SRC := $(wildcard agent/ctl/*.c)
LIB_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/lib/test_*.c))

# A missing pkg-config file must not stop `make modules`; the compiler then says what is missing.
LIB_PKGS := libnl-3.0 libnl-genl-3.0 zlib
LIB_CPPFLAGS := -D_GNU_SOURCE -Iagent/lib $(shell pkg-config --cflags $(LIB_PKGS) 2>/dev/null)
LIB_LIBS := -lnl-genl-3 -lnl-3 -lz -lm
CTL_LIBS := -ljansson -lm

# Objects of the library serve the shared and the static one.
$(BUILD)/user/agent/lib/%.o: CPPFLAGS += $(LIB_CPPFLAGS) -fPIC
$(BUILD)/san/agent/lib/%.o: CPPFLAGS += $(LIB_CPPFLAGS)
$(BUILD)/user/agent/ctl/%.o: CPPFLAGS += -D_GNU_SOURCE -DHF_VERSION='"$(HF_VERSION)"' -Iagent/lib
$(BUILD)/san/agent/ctl/%.o: CPPFLAGS += -D_GNU_SOURCE -DHF_VERSION='"$(HF_VERSION)"' -Iagent/lib
$(BUILD)/san/tests/lib/%.o: CPPFLAGS += $(LIB_CPPFLAGS) -Iagent/ctl

$(AGENT)/$(HF_SONAME): $(LIB_SRC:%.c=$(BUILD)/user/%.o) agent/lib/libholdfast.map
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(HF_SONAME) \
		-Wl,--version-script=agent/lib/libholdfast.map -Wl,-z,relro,-z,now,-z,defs \
		-o $@ $(filter %.o,$^) $(LIB_LIBS)

$(AGENT)/libholdfast.so: $(AGENT)/$(HF_SONAME)
	@ln -sf $(HF_SONAME) $@

$(AGENT)/libholdfast.a: $(LIB_SRC:%.c=$(BUILD)/user/%.o)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

# Linked with the static library: it must work where nothing of Holdfast is installed.
$(AGENT)/holdfastctl: $(CTL_SRC:%.c=$(BUILD)/user/%.o) $(AGENT)/libholdfast.a
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $^ $(CTL_LIBS) $(LIB_LIBS)

$(AGENT)/libholdfast.pc: agent/lib/libholdfast.pc.in
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(HF_VERSION)|' $< > $@

# The same program with sanitizers, for tests.
$(AGENT)/san/holdfastctl: $(CTL_SRC:%.c=$(BUILD)/san/%.o) $(LIB_SRC:%.c=$(BUILD)/san/%.o)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(SANFLAGS) -o $@ $^ $(CTL_LIBS) $(LIB_LIBS)

$(LIB_TESTS): $(BUILD)/tests/lib/%: $(BUILD)/san/tests/lib/%.o $(LIB_SRC:%.c=$(BUILD)/san/%.o)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(SANFLAGS) -o $@ $^ -lcriterion $(LIB_LIBS)

# A program for guests, as small as a user's would be.
$(BUILD)/tests/lib/replay: tests/lib/replay.c $(AGENT)/libholdfast.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) -Iagent/lib -o $@ $^ $(LIB_LIBS)

ALL_USER += $(AGENT)/libholdfast.so $(AGENT)/libholdfast.a $(AGENT)/libholdfast.pc \
	$(AGENT)/holdfastctl
CHECK_BINS += $(LIB_TESTS) $(BUILD)/tests/lib/replay $(AGENT)/san/holdfastctl

install-user: install-agent

install-agent: $(ALL_USER)
	install -d $(DESTDIR)$(PREFIX)/{bin,lib/pkgconfig,include/holdfast} \
		$(DESTDIR)$(PREFIX)/share/{man/man1,bash-completion/completions}
	install -m 755 $(AGENT)/holdfastctl $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(AGENT)/$(HF_SONAME) $(DESTDIR)$(PREFIX)/lib/
	ln -sf $(HF_SONAME) $(DESTDIR)$(PREFIX)/lib/libholdfast.so
	install -m 644 $(AGENT)/libholdfast.a $(DESTDIR)$(PREFIX)/lib/
	install -m 644 $(AGENT)/libholdfast.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/
	install -m 644 agent/lib/libholdfast.h uapi/holdfast.h uapi/holdfast_netlink.h \
		$(DESTDIR)$(PREFIX)/include/holdfast/
	install -m 644 docs/man/holdfastctl.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 agent/ctl/holdfastctl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/holdfastctl

.PHONY: install-agent
