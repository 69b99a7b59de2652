# SPDX-License-Identifier: GPL-2.0
# libholdfast, holdfastctl, holdfastd and holdfast-audit-verify, and their unit tests. Included by the
# top Makefile.

HF_VERSION := 0.1.0
HF_SONAME := libholdfast.so.0

AGENT := $(BUILD)/agent
LIB_SRC := $(wildcard agent/lib/*.c)
CTL_SRC := $(wildcard agent/ctl/*.c)
LIB_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/lib/test_*.c))

# A missing pkg-config file must not stop `make modules`; the compiler then says what is missing.
LIB_PKGS := libnl-3.0 libnl-genl-3.0 zlib
LIB_CPPFLAGS := -D_GNU_SOURCE -Iagent/lib $(shell pkg-config --cflags $(LIB_PKGS) 2>/dev/null)
# liburing from its archive where the library is: a program then needs no package more. The shared
# library takes the shared one, whose functions it uses are all there.
LIB_LIBS := -lnl-genl-3 -lnl-3 -lz -lm -l:liburing.a
LIB_SO_LIBS := -lnl-genl-3 -lnl-3 -lz -lm -luring
CTL_LIBS := -Wl,--as-needed -ljansson -lcurl -lyaml -lcrypto -lnats -lm
CTL_CPPFLAGS := -D_GNU_SOURCE -DHF_VERSION='"$(HF_VERSION)"' -Iagent/lib -Iagent/common

# Objects of the library serve the shared and the static one.
$(BUILD)/user/agent/lib/%.o: CPPFLAGS += $(LIB_CPPFLAGS) -fPIC
$(BUILD)/san/agent/lib/%.o: CPPFLAGS += $(LIB_CPPFLAGS)
$(BUILD)/user/agent/ctl/%.o: CPPFLAGS += $(CTL_CPPFLAGS)
$(BUILD)/san/agent/ctl/%.o: CPPFLAGS += $(CTL_CPPFLAGS)
$(BUILD)/san/tests/lib/%.o: CPPFLAGS += $(LIB_CPPFLAGS) -Iagent/ctl

$(AGENT)/$(HF_SONAME): $(LIB_SRC:%.c=$(BUILD)/user/%.o) agent/lib/libholdfast.map
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS) -shared -Wl,-soname,$(HF_SONAME) \
		-Wl,--version-script=agent/lib/libholdfast.map -Wl,-z,relro,-z,now,-z,defs \
		-o $@ $(filter %.o,$^) $(LIB_SO_LIBS)

$(AGENT)/libholdfast.so: $(AGENT)/$(HF_SONAME)
	@ln -sf $(HF_SONAME) $@

$(AGENT)/libholdfast.a: $(LIB_SRC:%.c=$(BUILD)/user/%.o)
	@mkdir -p $(@D)
	$(call say,AR)rm -f $@.new && $(AR) rcs $@.new $^ && mv -f $@.new $@

# holdfastctl takes of it the table of operations and what checks arguments by it.
$(AGENT)/common.a: $(patsubst %.c,$(BUILD)/user/%.o,$(wildcard agent/common/*.c))
	@mkdir -p $(@D)
	$(call say,AR)rm -f $@.new && $(AR) rcs $@.new $^ && mv -f $@.new $@

# Linked with the static library: it must work where nothing of Holdfast is installed.
$(AGENT)/holdfastctl: $(CTL_SRC:%.c=$(BUILD)/user/%.o) $(AGENT)/common.a $(AGENT)/libholdfast.a
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $^ $(CTL_LIBS) $(LIB_LIBS)

$(AGENT)/libholdfast.pc: agent/lib/libholdfast.pc.in
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(HF_VERSION)|' $< > $@

# The same program with sanitizers, for tests.
$(AGENT)/san/holdfastctl: $(CTL_SRC:%.c=$(BUILD)/san/%.o) $(AGENT)/san/common.a $(LIB_SRC:%.c=$(BUILD)/san/%.o)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(SANFLAGS) -o $@ $^ $(CTL_LIBS) $(LIB_LIBS)

$(LIB_TESTS): $(BUILD)/tests/lib/%: $(BUILD)/san/tests/lib/%.o $(LIB_SRC:%.c=$(BUILD)/san/%.o)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(SANFLAGS) -o $@ $^ -lcriterion $(LIB_LIBS)

# The player against the driver, with the scene of tests/vm. After all makefiles: its helpers are there.
$(BUILD)/user/tests/lib/player.o: CPPFLAGS += $(LIB_CPPFLAGS) -Itests/vm
$(BUILD)/tests/lib/player: $(BUILD)/user/tests/lib/player.o \
		$(patsubst %,$(BUILD)/user/tests/vm/%.o,scene scene_calls scene_players ledger physics) \
		$(AGENT)/libholdfast.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) -o $@ $^ $(LIB_LIBS) -lpthread

# A program for guests, as small as a user's would be.
$(BUILD)/tests/lib/replay: tests/lib/replay.c $(AGENT)/libholdfast.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CFLAGS) -Iagent/lib -o $@ $^ $(LIB_LIBS)

# --- holdfastd. One room (folder) per process; agent/common serves all.
ROOMS := common daemon keeper auth audit front export fleet
AGENT_PKGS := jansson libcrypto sqlite3 libmicrohttpd gnutls libseccomp libcap yaml-0.1 libnats \
	libnl-3.0 libnl-genl-3.0
AGENT_CPPFLAGS := -D_GNU_SOURCE -DHF_VERSION='"$(HF_VERSION)"' -Iagent/common -Iagent/lib \
	$(shell pkg-config --cflags $(AGENT_PKGS) 2>/dev/null)
# liburing from its archive: Debian 12's shared one lacks two functions that its header declares.
AGENT_LIBS := -Wl,--as-needed -ljansson -lcrypto -lsqlite3 -largon2 -lmicrohttpd -lgnutls -lseccomp \
	-lcap -lyaml -lnats $(LIB_LIBS)
HARDEN_CFLAGS := -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection
HARDEN_LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack

DAEMON_SRC := $(foreach r,$(ROOMS),$(wildcard agent/$(r)/*.c))
VERIFY_SRC := $(wildcard agent/audit/verify/*.c)

$(AGENT)/san/lib.a: $(LIB_SRC:%.c=$(BUILD)/san/%.o)
	@mkdir -p $(@D)
	$(call say,AR)rm -f $@.new && $(AR) rcs $@.new $^ && mv -f $@.new $@

# Flags, archive (without main) and unit tests of the room $(1): tests/agent/test_ROOM_*.c, linked
# with the archives of ROOM, common and the library.
define AGENT_ROOM
$(BUILD)/user/agent/$(1)/%.o: CPPFLAGS += $$(AGENT_CPPFLAGS) $$(HARDEN_CFLAGS) -Iagent/$(1)
$(BUILD)/san/agent/$(1)/%.o: CPPFLAGS += $$(AGENT_CPPFLAGS) -Iagent/$(1)
$(AGENT_TEST_RULES)
endef

define AGENT_TEST_RULES
$(BUILD)/san/tests/agent/test_$(1)_%.o: CPPFLAGS += $$(AGENT_CPPFLAGS) -Iagent/$(1) -Itests/agent

$(AGENT)/san/$(1).a: $$(patsubst %.c,$(BUILD)/san/%.o,$$(filter-out %/main.c,$$(wildcard agent/$(1)/*.c)))
	@mkdir -p $$(@D)
	$$(call say,AR)rm -f $$@.new && $$(AR) rcs $$@.new $$^ && mv -f $$@.new $$@

TESTS_$(1) := $$(patsubst tests/agent/%.c,$(AGENT)/tests/%,$$(wildcard tests/agent/test_$(1)_*.c))
AGENT_TESTS += $$(TESTS_$(1))
$$(TESTS_$(1)): $(AGENT)/tests/%: $(BUILD)/san/tests/agent/%.o $(AGENT)/san/$(1).a \
		$(AGENT)/san/common.a $(AGENT)/san/lib.a
	@mkdir -p $$(@D)
	$$(call say,LD)$$(CC) $$(SANFLAGS) -o $$@ $$^ -lcriterion $$(AGENT_LIBS)
endef

# A holdfastd of fake roles for tests of the parent, and a program that tries a role's sandbox.
# Without sanitizers: AddressSanitizer does not run in User-mode Linux, where they are root.
AGENT_PROGRAMS := $(AGENT)/tests/fakes $(AGENT)/tests/probe

$(AGENT)/spine.a: $(patsubst %.c,$(BUILD)/user/%.o,$(filter-out %/main.c,$(wildcard \
		agent/daemon/*.c agent/common/*.c)))
	@mkdir -p $(@D)
	$(call say,AR)rm -f $@.new && $(AR) rcs $@.new $^ && mv -f $@.new $@

$(AGENT_PROGRAMS): $(AGENT)/tests/%: $(BUILD)/user/tests/agent/%.o $(AGENT)/spine.a \
		$(AGENT)/libholdfast.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(HARDEN_LDFLAGS) -o $@ $^ $(AGENT_LIBS)

$(AGENT_PROGRAMS:$(AGENT)/tests/%=$(BUILD)/user/tests/agent/%.o): CPPFLAGS += $(AGENT_CPPFLAGS) \
	$(HARDEN_CFLAGS) -Iagent/daemon

$(foreach r,$(ROOMS),$(eval $(call AGENT_ROOM,$(r))))
$(eval $(call AGENT_TEST_RULES,ctl))

# The keeper process on a simulated array, with the other processes played (tests/agent/keeper-live.sh).
$(BUILD)/user/tests/agent/keeper_live.o: CPPFLAGS += $(AGENT_CPPFLAGS) -Iagent/keeper -Itests/vm
$(AGENT)/tests/keeper_live: $(BUILD)/user/tests/agent/keeper_live.o \
		$(patsubst %.c,$(BUILD)/user/%.o,$(wildcard agent/keeper/*.c agent/common/*.c)) \
		$(patsubst %,$(BUILD)/user/tests/vm/%.o,scene scene_calls scene_players ledger) \
		$(AGENT)/libholdfast.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $^ $(AGENT_LIBS) -lpthread
AGENT_TESTS += $(AGENT)/tests/keeper_live

$(AGENT)/holdfastd: $(DAEMON_SRC:%.c=$(BUILD)/user/%.o) $(AGENT)/libholdfast.a
	$(call say,LD)$(CC) $(HARDEN_LDFLAGS) $(LDFLAGS) -o $@ $^ $(AGENT_LIBS)

$(AGENT)/san/holdfastd: $(DAEMON_SRC:%.c=$(BUILD)/san/%.o) $(AGENT)/san/lib.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(SANFLAGS) -o $@ $^ $(AGENT_LIBS)

# Alone: whoever doubts the log does not want the log's own code as a witness.
$(BUILD)/user/agent/audit/verify/%.o: CPPFLAGS := -D_GNU_SOURCE -DHF_VERSION='"$(HF_VERSION)"' \
	$(HARDEN_CFLAGS)
$(BUILD)/san/agent/audit/verify/%.o: CPPFLAGS := -D_GNU_SOURCE -DHF_VERSION='"$(HF_VERSION)"'

# The log's own tests have the verifier as judge.
$(TESTS_audit): $(patsubst %.c,$(BUILD)/san/%.o,$(filter-out %/main.c,$(VERIFY_SRC)))

$(AGENT)/holdfast-audit-verify: $(VERIFY_SRC:%.c=$(BUILD)/user/%.o)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(HARDEN_LDFLAGS) $(LDFLAGS) -o $@ $^ -lcrypto

$(AGENT)/san/holdfast-audit-verify: $(VERIFY_SRC:%.c=$(BUILD)/san/%.o)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(SANFLAGS) -o $@ $^ -lcrypto

# What a room needs besides.
-include $(wildcard agent/*/build.mk)

ALL_USER += $(AGENT)/libholdfast.so $(AGENT)/libholdfast.a $(AGENT)/libholdfast.pc \
	$(AGENT)/holdfastctl $(AGENT)/holdfastd $(AGENT)/holdfast-audit-verify
CHECK_BINS += $(LIB_TESTS) $(BUILD)/tests/lib/replay $(BUILD)/tests/lib/player $(AGENT)/san/holdfastctl \
	$(AGENT)/san/holdfastd $(AGENT)/san/holdfast-audit-verify $(AGENT_TESTS) $(AGENT_PROGRAMS)

install-user: install-agent

install-agent: $(ALL_USER)
	install -d $(DESTDIR)$(PREFIX)/{bin,sbin,lib/pkgconfig,include/holdfast} \
		$(DESTDIR)$(PREFIX)/share/{man/man1,man/man5,man/man8,bash-completion/completions,holdfast}
	install -m 755 $(AGENT)/holdfastctl $(AGENT)/holdfast-audit-verify $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(AGENT)/holdfastd $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(AGENT)/$(HF_SONAME) $(DESTDIR)$(PREFIX)/lib/
	ln -sf $(HF_SONAME) $(DESTDIR)$(PREFIX)/lib/libholdfast.so
	install -m 644 $(AGENT)/libholdfast.a $(DESTDIR)$(PREFIX)/lib/
	install -m 644 $(AGENT)/libholdfast.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/
	install -m 644 agent/lib/libholdfast.h uapi/holdfast.h uapi/holdfast_netlink.h \
		$(DESTDIR)$(PREFIX)/include/holdfast/
	install -m 644 docs/man/holdfastctl.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m 644 docs/man/holdfast.yaml.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -m 644 docs/man/holdfastd.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	install -m 644 scripts/packaging/holdfast.yaml docs/holdfast.schema.json \
		$(DESTDIR)$(PREFIX)/share/holdfast/
	install -d $(DESTDIR)$(PREFIX)/share/holdfast/{prometheus,grafana,runbooks}
	install -m 644 scripts/packaging/prometheus/*.yml $(DESTDIR)$(PREFIX)/share/holdfast/prometheus/
	install -m 644 scripts/packaging/grafana/holdfast.json $(DESTDIR)$(PREFIX)/share/holdfast/grafana/
	install -m 644 docs/runbooks/*.md $(DESTDIR)$(PREFIX)/share/holdfast/runbooks/
	install -m 644 agent/ctl/holdfastctl.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/holdfastctl

.PHONY: install-agent
