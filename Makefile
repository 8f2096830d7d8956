# SPDX-License-Identifier: Apache-2.0
# GNU make. `make help` lists the targets. Objects go under $(B) (default build/).

VERSION := $(shell cat VERSION)
B       ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
DESTDIR ?=
V       ?= 0

.DEFAULT_GOAL := all
include config/build/deps.mk

# ---- flags -------------------------------------------------------------------

WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wvla -Wwrite-strings -Wno-format-zero-length
WERROR ?= -Werror
OPT    ?= -O2 -g
HARDEN ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
SAN    ?=
CPPFLAGS += -Iinclude -I$(B)/gen -D_GNU_SOURCE -DSW_VERSION='"$(VERSION)"' $(DEP_CFLAGS)
CFLAGS   += -std=c17 $(OPT) $(WARN) $(WERROR) $(HARDEN) $(SAN) -fno-omit-frame-pointer
LDFLAGS  += -pie -Wl,-z,relro,-z,now $(SAN)
LDLIBS   += $(DEP_LIBS) -lpthread -lm

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' "$(1)" "$(2)";)

# ---- sources -----------------------------------------------------------------

ROOMS   := gateway providers policies config
SRC     := $(filter-out gateway/main.c,$(shell find $(ROOMS) -name '*.c' 2>/dev/null | LC_ALL=C sort))
OBJ     := $(SRC:%.c=$(B)/obj/%.o)
# Files carried inside the binary: NAME -> symbols sw_blob_NAME, sw_blob_NAME_end
BLOBS   := $(shell find policies config gateway -name '*.lua' -o -path 'gateway/api/schema/*.schema' \
             -o -path 'config/samples/*.yaml' -o -path 'config/catalog/*.csv' -o -path 'config/demo/*.yaml' \
             -o -path 'config/kubernetes/*/rbac.yaml' 2>/dev/null | LC_ALL=C sort)
LIB     := $(B)/libspillway.a
BIN     := $(B)/spillway

TEST_SRC  := $(shell find tests/unit tests/support -name '*.c' 2>/dev/null | LC_ALL=C sort)
TEST_DIRS := $(sort $(patsubst %/,%,$(dir $(filter tests/unit/%,$(TEST_SRC)))))
TEST_BINS := $(TEST_DIRS:tests/unit/%=$(B)/test/%.test)
TEST_LIB_OBJ := $(patsubst %.c,$(B)/obj/%.o,$(filter tests/support/%,$(TEST_SRC)))

.PHONY: all help deps deps-test deps-lint demo test unit asan bench lint fmt install uninstall clean tests-build
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BIN) $(B)/compile_commands.json

$(BIN): $(B)/obj/gateway/main.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(LIB): $(OBJ) $(B)/obj/blobs.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(B)/obj/%.o: %.c $(B)/deps.ok $(B)/flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# One table of every carried file, found by path with sw_blob_find().
$(B)/gen/blobs.S: $(BLOBS) Makefile config/build/blobs.sh
	$(Q)mkdir -p $(@D) && config/build/blobs.sh $(BLOBS) > $@
$(B)/obj/blobs.o: $(B)/gen/blobs.S $(BLOBS)
	$(call say,AS,$@)
	$(Q)mkdir -p $(@D) && $(CC) -c -o $@ $<

# Rebuild when flags or the version change.
$(B)/flags: FORCE
	$(Q)mkdir -p $(@D); printf '%s\n' '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' > $@.new; cmp -s $@ $@.new && rm $@.new || mv $@.new $@
FORCE:

$(B)/compile_commands.json: $(B)/flags
	$(Q)config/build/compile-commands.sh '$(subst ','\'',$(CC) $(CPPFLAGS) $(CFLAGS))' gateway/main.c $(SRC) $(TEST_SRC) > $@

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

# ---- unit tests: one Criterion program per folder of tests/unit ----------------

define test_program
$(B)/test/$(1).test: $(patsubst %.c,$(B)/obj/%.o,$(filter tests/unit/$(1)/%,$(TEST_SRC))) $(TEST_LIB_OBJ) $(LIB)
	$$(call say,LINK,$$@)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS) $$(TEST_LIBS)
endef
$(foreach d,$(TEST_DIRS:tests/unit/%=%),$(eval $(call test_program,$(d))))

tests-build: $(TEST_BINS)

unit: $(TEST_BINS)
	$(Q)config/build/run-unit.sh $(TEST_BINS)

include tests/fuzz/rules.mk tests/bench/rules.mk

clean:
	rm -rf build

# ---- what people run -----------------------------------------------------------

help:
	@printf '%s\n' 'make            build build/spillway' 'make demo       run the demo: three simulated clusters, eight jobs' \
	  'make test       every test that this machine can run' 'make unit       unit tests only' \
	  'make asan       the same suite built with AddressSanitizer and UndefinedBehaviorSanitizer' \
	  'make bench      measure, with ratios' 'make bench-kubernetes  side by side with MultiKueue on real clusters' \
	  'make lint       sizes, complexity, clang-tidy, formatting' 'make fmt        format' \
	  'make install    to $$(DESTDIR)$$(PREFIX)' 'make deps       install the Debian packages that are missing'

demo: $(BIN)
	$(Q)$(BIN) demo $(DEMO_ARGS)

deps-test:
	$(Q)config/build/deps.sh $(DEBS) $(DEBS_TEST)
deps-lint:
	$(Q)config/build/deps.sh $(DEBS) $(DEBS_LINT)

# The binary that the crash scenarios run: the same objects, and fault points that fire.
$(B)/spillway-faults: $(B)/obj/gateway/main.o $(B)/obj/tests/faults/fault.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

test: deps-test
	$(Q)$(MAKE) --no-print-directory B=$(B) all tests-build $(B)/spillway-faults
	$(Q)B=$(B) tests/run.sh $(TESTS)

ASAN := B=build/asan OPT='-O1 -g' HARDEN= SAN='-fsanitize=address,undefined -fno-sanitize-recover=all'
asan:
	$(Q)$(MAKE) --no-print-directory $(ASAN) test

bench: $(BIN)
	$(Q)B=$(B) tests/bench/run.sh $(BENCH)

lint: deps-lint $(B)/compile_commands.json
	$(Q)config/build/lint.sh
	$(Q)clang-format --dry-run --Werror $(shell find gateway providers policies config include tests -name '*.[ch]') && echo "clang-format: clean"
	$(Q)config/build/tidy.sh $(B)
fmt:
	$(Q)clang-format -i $(shell find gateway providers policies config include tests -name '*.[ch]')

install: $(BIN)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/spillway/policies $(DESTDIR)$(PREFIX)/share/spillway/samples \
	  $(DESTDIR)$(PREFIX)/share/doc/spillway $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/spillway
	install -m 644 policies/*.lua $(DESTDIR)$(PREFIX)/share/spillway/policies
	install -m 644 config/samples/*.yaml $(DESTDIR)$(PREFIX)/share/spillway/samples
	cp -R config/kubernetes $(DESTDIR)$(PREFIX)/share/spillway
	chmod -R u=rwX,go=rX $(DESTDIR)$(PREFIX)/share/spillway/kubernetes
	install -m 644 README.md INSTALL NEWS LICENSE $(DESTDIR)$(PREFIX)/share/doc/spillway
	$(BIN) config print --example > $(DESTDIR)$(PREFIX)/share/doc/spillway/spillway.yaml
	sed 's|@PREFIX@|$(PREFIX)|g' config/systemd/spillway.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/spillway.service
uninstall:
	rm -rf $(DESTDIR)$(PREFIX)/bin/spillway $(DESTDIR)$(PREFIX)/share/spillway $(DESTDIR)$(PREFIX)/share/doc/spillway \
	  $(DESTDIR)$(PREFIX)/lib/systemd/system/spillway.service
