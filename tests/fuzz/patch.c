/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patch.c - the four kinds of PATCH on a stored object, and server-side apply twice in a row
 *
 * Parts: the object (decoded first), the patch, what kind: "merge", "json", "strategic", "apply" or "force", perhaps
 * with " status" behind it; a second apply by another manager.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "spillway/patch.h"

static json_t *stored(const struct fuzz_parts *p, const struct sw_resource **r)
{
	json_t *o = fuzz_object(p, 0);
	const char *version = sw_json_str(o, "apiVersion"), *kind = sw_json_str(o, "kind");

	*r = version && kind ? sw_resource_of(version, kind) : NULL;
	if (*r && sw_json_str(o, "metadata.name") &&
	    !fuzz_refused(sw_object_decode(fuzz_schema(), *r, o, NULL, SW_FIELDS_IGNORE, NULL)))
		return o;
	json_object_put(o);
	return NULL;
}

static enum sw_patch_type type_of(const char *word, bool *force, const char **sub)
{
	static const char *const words[] = {"", "merge", "json", "strategic", "apply"};

	*sub = strstr(word, " status") ? "status" : NULL;
	*force = !strncmp(word, "force", 5);
	for (size_t i = 1; i < sizeof(words) / sizeof(*words); i++)
		if (!strncmp(word, words[i], strlen(words[i])))
			return (enum sw_patch_type)i;
	return *force ? SW_PATCH_APPLY : SW_PATCH_NONE;
}

/* gives the result or NULL; current is not changed. */
static json_t *patched(struct sw_patch_request *req, json_t *current)
{
	json_t *before = sw_json_copy(current), *patch = sw_json_copy(req->patch), *given = req->patch, *out = NULL;
	json_t *warnings = json_object_new_array();
	bool no;

	req->patch = patch;
	req->warnings = warnings;
	no = fuzz_refused(sw_patch(fuzz_schema(), req, current, &out));
	req->patch = given;
	FUZZ_CHECK(!no || !out);
	FUZZ_CHECK(json_object_equal(before, current));
	json_object_put(warnings);
	json_object_put(patch);
	json_object_put(before);
	if (out)
		fuzz_json_again(out, true);
	return out;
}

/* Would the result be stored? */
static bool valid(const struct sw_patch_request *req, json_t *result, json_t *current)
{
	json_t *fresh = sw_json_copy(result);
	bool ok = !fuzz_refused(sw_object_carry(fuzz_schema(), req->r, req->sub, fresh, current));

	if (ok) {
		sw_object_default(fuzz_schema(), req->r, fresh);
		ok = !fuzz_refused(sw_object_validate(fuzz_schema(), req->r, req->sub, fresh, current));
	}
	json_object_put(fresh);
	return ok;
}

/* The same apply again changes nothing but the time. */
static void again(struct sw_patch_request *req, json_t *result)
{
	json_t *same = patched(req, result);

	FUZZ_CHECK(same != NULL);
	FUZZ_CHECK(sw_object_same(result, same));
	json_object_put(same);
}

static void second(const struct sw_patch_request *req, json_t *result, json_t *other)
{
	struct sw_patch_request by_other = *req;
	json_t *out;

	by_other.manager = "other";
	by_other.patch = other;
	out = patched(&by_other, result);
	if (out)
		sw_managed_update(fuzz_schema(), req->r, req->sub, "third", out, result, req->now_ms + 2000);
	json_object_put(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	struct sw_patch_request req = {.manager = "fuzz", .now_ms = 1700000000000};
	json_t *current = stored(&p, &req.r), *other = fuzz_object(&p, 3), *out;

	req.type = type_of(p.at[2], &req.force, &req.sub);
	if (sw_failed(sw_json_parse(p.at[1], p.len[1], &req.patch)))
		req.r = NULL;
	if (req.r && current && req.type != SW_PATCH_NONE) {
		out = patched(&req, current);
		if (out && req.type == SW_PATCH_APPLY) {
			req.now_ms += 1000;
			if (valid(&req, out, current))
				again(&req, out);
			if (other)
				second(&req, out, other);
		}
		json_object_put(out);
	}
	json_object_put(req.patch);
	json_object_put(other);
	json_object_put(current);
	fuzz_parts_free(&p);
	return 0;
}
