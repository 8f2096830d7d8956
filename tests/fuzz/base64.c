/* SPDX-License-Identifier: Apache-2.0 */
/* base64.c - both ways, and the hash of whatever came in */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "spillway/text.h"

static void there_and_back(const void *bytes, size_t n)
{
	char *text = sw_base64(bytes, n);
	unsigned char *back;
	size_t len;

	FUZZ_CHECK(!sw_failed(sw_base64_decode(text, strlen(text), &back, &len)));
	FUZZ_CHECK(len == n && (!n || !memcmp(back, bytes, n)));
	free(text);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *out;
	size_t len;
	struct sw_err e = sw_base64_decode((const char *)data, size, &out, &len);

	there_and_back(data, size);
	if (sw_failed(e)) {
		FUZZ_REFUSED(e, out);
		return 0;
	}
	FUZZ_CHECK(len <= size / 4 * 3 + 3);
	there_and_back(out, len);
	free(out);
	return 0;
}
