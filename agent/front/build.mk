# SPDX-License-Identifier: GPL-2.0
# What the HTTP processes need besides the room's own rules: the stage of their live tests, with and
# without sanitizers, and the writer of the API's documents. Included by agent/build.mk.

HTTP_STAGE_ROOMS := front common
HTTP_STAGE_SRC := $(foreach r,$(HTTP_STAGE_ROOMS),$(wildcard agent/$(r)/*.c))

$(BUILD)/san/tests/agent/http_stage.o: CPPFLAGS += $(AGENT_CPPFLAGS)
$(BUILD)/user/tests/agent/http_stage.o: CPPFLAGS += $(AGENT_CPPFLAGS)

$(AGENT)/tests/http_stage: $(BUILD)/san/tests/agent/http_stage.o $(AGENT)/san/front.a \
		$(AGENT)/san/common.a $(AGENT)/san/lib.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(SANFLAGS) -o $@ $^ $(AGENT_LIBS)

$(AGENT)/bench/http_stage: $(BUILD)/user/tests/agent/http_stage.o $(HTTP_STAGE_SRC:%.c=$(BUILD)/user/%.o) \
		$(AGENT)/libholdfast.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(HARDEN_LDFLAGS) -o $@ $^ $(AGENT_LIBS)

$(AGENT)/gen-api-docs: $(patsubst %.c,$(BUILD)/user/%.o,$(wildcard agent/front/gendocs/*.c) \
		agent/front/openapi.c agent/front/probes.c agent/front/router.c agent/front/http.c \
		$(addprefix agent/common/,fault.c histogram.c metrics.c ops.c field.c field_schema.c role.c err.c text.c)) $(AGENT)/libholdfast.a
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $^ $(AGENT_LIBS)

CHECK_BINS += $(AGENT)/tests/http_stage $(AGENT)/bench/http_stage $(AGENT)/gen-api-docs
