# What spillway needs, said once: pkg-config names for the compiler, Debian names for `make deps`.
PKGS  := libuv libcurl yaml-0.1 json-c libssl libcrypto lua5.4 sqlite3 libmicrohttpd
DEBS  := build-essential pkg-config libuv1-dev libcurl4-openssl-dev libyaml-dev libjson-c-dev libssl-dev \
         liblua5.4-dev libsqlite3-dev libmicrohttpd-dev uthash-dev ca-certificates
DEBS_TEST := libcriterion-dev python3 python3-venv spin
DEBS_LINT := clang clang-tidy clang-format pmccabe

# Evaluated once per make run, and only after the packages are there.
DEP_CFLAGS = $(eval DEP_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null))$(DEP_CFLAGS)
DEP_LIBS   = $(eval DEP_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null))$(DEP_LIBS)
TEST_LIBS := -lcriterion

deps:
	config/build/deps.sh $(DEBS)
$(B)/deps.ok: config/build/deps.mk config/build/deps.sh
	@config/build/deps.sh $(DEBS) && mkdir -p $(@D) && touch $@
