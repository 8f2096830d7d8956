/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what the fuzz targets share
 *
 * A target is one file with one LLVMFuzzerTestOneInput(). It calls a parser of outside bytes and checks what must hold
 * for anything that the parser accepted (FUZZ_CHECK): what is written can be read again, two readers agree, a
 * refusal has a text. Crashes, leaks and undefined behaviour are the sanitizers' business.
 *
 * Two programs are made of the targets: replay (all of them, any compiler: runs the corpus) and one libFuzzer
 * program each (clang). See README.md.
 */
#ifndef SPILLWAY_TESTS_FUZZ_H
#define SPILLWAY_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "spillway/err.h"
#include "spillway/json.h"
#include "spillway/schema.h"

#ifdef FUZZ_ENTRY /* in the replay program every target has a name of its own */
#define LLVMFuzzerTestOneInput FUZZ_ENTRY
#endif
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(cond) SW_REQUIRE(cond)

/* A refusal must say why, and nothing may be given with it. */
#define FUZZ_REFUSED(e, out) FUZZ_CHECK((e).text[0] != 0 && (out) == NULL)

enum { FUZZ_PARTS = 5 };

/* The input's parts, as NUL-terminated copies: what stands between lines that hold nothing but "~~". Missing parts are
 * empty. fuzz_parts_free() frees. */
struct fuzz_parts {
	char *at[FUZZ_PARTS];
	size_t len[FUZZ_PARTS];
};
struct fuzz_parts fuzz_split(const uint8_t *data, size_t size);
void fuzz_parts_free(struct fuzz_parts *p);

/* Parses one part, or NULL if it is no JSON object. gives. */
json_t *fuzz_object(const struct fuzz_parts *p, int i);

/* The served kinds' schema; made once. */
const struct sw_schema *fuzz_schema(void);

/* Was it refused? Then a Status must say so properly; takes it. */
bool fuzz_refused(json_t *status);

/* What we print must be read again; exact: as an equal object, printed in the same way (the double "3." of YAML
 * is printed as 3, which is read as an integer). */
void fuzz_json_again(json_t *o, bool exact);

#endif
