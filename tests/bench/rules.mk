# SPDX-License-Identifier: Apache-2.0
# Benchmarks; each a program of its own on what they share.

BENCH_SHARED := util child client jobs site follow
BENCH_NAMES  := $(filter-out $(BENCH_SHARED),$(basename $(notdir $(wildcard tests/bench/*.c))))
BENCH_BINS   := $(BENCH_NAMES:%=$(B)/bench/%)

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(BENCH_SHARED:%=$(B)/obj/tests/bench/%.o) $(LIB)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench-build
bench-build: $(BENCH_BINS)
tests-build: bench-build

# Dispatchers side by side on real clusters; builds the servers once (needs Go), about 15 minutes of measuring.
.PHONY: bench-kubernetes
bench-kubernetes: $(BIN)
	$(Q)python=$$(tests/tools/python.sh) && B=$(B) "$$python" tests/kubernetes/bench/main.py $(BENCH_ARGS)
