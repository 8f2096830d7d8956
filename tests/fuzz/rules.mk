# SPDX-License-Identifier: Apache-2.0
# Fuzz targets: every tests/fuzz/*.c but the helpers. One replay program for the suite, one libFuzzer program each for `make fuzz`.

FUZZ_HELPERS := parts replay
FUZZ_NAMES   := $(filter-out $(FUZZ_HELPERS),$(basename $(notdir $(wildcard tests/fuzz/*.c))))
FUZZ_OBJ     := $(FUZZ_NAMES:%=$(B)/obj/tests/fuzz/%.o)

# In the replay program every target's entry has its own name; libFuzzer wants the one it knows.
ifndef FUZZ_LIBFUZZER
$(foreach t,$(FUZZ_NAMES),$(eval $(B)/obj/tests/fuzz/$(t).o: private CPPFLAGS += -DFUZZ_ENTRY=fuzz_$(t)))
$(B)/obj/tests/fuzz/replay.o: private CPPFLAGS += -DFUZZ_TARGETS='$(foreach t,$(FUZZ_NAMES),X($(t)))'
$(B)/obj/tests/fuzz/replay.o: $(wildcard tests/fuzz/*.c)
endif

$(B)/fuzz/replay: $(B)/obj/tests/fuzz/replay.o $(B)/obj/tests/fuzz/parts.o $(FUZZ_OBJ) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/fuzz/%.fuzz: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/parts.o $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

tests-build: $(B)/fuzz/replay

# make fuzz [FUZZ="json yaml"] [SECONDS=60]: long runs with clang's libFuzzer.
.PHONY: fuzz
fuzz:
	$(Q)for t in $(or $(FUZZ),$(FUZZ_NAMES)); do \
	  $(MAKE) --no-print-directory B=build/fuzz CC=clang FUZZ_LIBFUZZER=1 OPT='-O1 -g' HARDEN= WERROR= \
	    SAN='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' build/fuzz/fuzz/$$t.fuzz && \
	  tests/fuzz/long.sh build/fuzz/fuzz/$$t.fuzz $$t $(or $(SECONDS),60) || exit 1; done
