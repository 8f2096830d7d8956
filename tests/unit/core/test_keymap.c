/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/keymap.h"

struct thing {
	char key[16];
};

static const char *key_of(const void *thing)
{
	return ((const struct thing *)thing)->key;
}

Test(keymap, an_empty_map_finds_nothing)
{
	struct sw_keymap m;
	size_t at = 0;

	sw_keymap_init(&m, key_of);
	cr_expect_null(sw_keymap_find(&m, "a"));
	cr_expect_null(sw_keymap_remove(&m, "a"));
	cr_expect_null(sw_keymap_next(&m, &at));
	sw_keymap_fini(&m);
}

Test(keymap, putting_a_key_again_replaces_the_thing)
{
	struct sw_keymap m;
	struct thing a = {"k"}, b = {"k"};

	sw_keymap_init(&m, key_of);
	cr_expect_null(sw_keymap_put(&m, &a));
	cr_expect_eq(sw_keymap_put(&m, &b), &a);
	cr_expect_eq(sw_keymap_find(&m, "k"), &b);
	cr_expect_eq(m.len, 1);
	cr_expect_eq(sw_keymap_remove(&m, "k"), &b);
	cr_expect_eq(m.len, 0);
	sw_keymap_fini(&m);
}

Test(keymap, any_order_of_puts_and_removes_keeps_exactly_what_is_in)
{
	enum { N = 2000 };
	static struct thing things[N];
	static bool in[N];
	struct sw_keymap m;
	uint64_t seed = 7;
	size_t len = 0;

	sw_keymap_init(&m, key_of);
	for (int i = 0; i < N; i++)
		snprintf(things[i].key, sizeof(things[i].key), "ns/%d", i);
	for (int step = 0; step < 60000; step++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		int i = (int)((seed >> 33) % N);
		bool fill = step < 20000 || step > 50000; /* grows, shrinks, grows */

		if (fill && !in[i]) {
			cr_assert_null(sw_keymap_put(&m, &things[i]));
			in[i] = true;
			len++;
		} else if (!fill && in[i]) {
			cr_assert_eq(sw_keymap_remove(&m, things[i].key), &things[i]);
			in[i] = false;
			len--;
		}
		cr_assert_eq(m.len, len);
	}
	size_t at = 0, seen = 0;

	for (int i = 0; i < N; i++)
		cr_assert_eq(sw_keymap_find(&m, things[i].key), in[i] ? &things[i] : NULL);
	while (sw_keymap_next(&m, &at))
		seen++;
	cr_expect_eq(seen, len);
	sw_keymap_fini(&m);
}
