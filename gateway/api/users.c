/* SPDX-License-Identifier: Apache-2.0 */
/*
 * users.c - bearer tokens: who they belong to, kept as notes "user/NAME"
 *
 * Only the SHA-256 of a token is kept. Tokens have 256 random bits, so a plain hash is as good as a
 * slow one, and looking a token up by its hash tells a timing attacker nothing about the token.
 * A user has one token: adding the user again replaces it.
 */
#include "api_priv.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include "spillway/log.h"
#include "spillway/text.h"

#define USER_PREFIX "user/"
enum { TOKEN_MAX = 512 };

const char *user_name_inside(void)
{
	return "system:spillway";
}

struct user *user_ref(struct user *u)
{
	u->refs++;
	return u;
}

void user_unref(struct user *u)
{
	if (!u || --u->refs > 0)
		return;
	free(u->name);
	free(u->namespaces);
	free(u);
}

static void user_insert(struct sw_api *a, const char *name, enum sw_role role, const char *namespaces,
			const char *digest)
{
	struct user *u, *next;
	HASH_ITER(hh, a->users, u, next)
	{
		if (strcmp(u->name, name) != 0)
			continue;
		HASH_DEL(a->users, u);
		user_unref(u);
	}
	u = sw_calloc(1, sizeof(*u));
	u->refs = 1;
	u->role = role;
	u->name = sw_strdup(name);
	u->namespaces = sw_strdup(namespaces ? namespaces : "");
	memcpy(u->digest, digest, sizeof(u->digest));
	HASH_ADD_STR(a->users, digest, u);
}

/* ---- as a note ------------------------------------------------------------------ */

static const char *const role_words[] = {
	[SW_ROLE_ADMIN] = "admin", [SW_ROLE_SUBMITTER] = "submitter", [SW_ROLE_READER] = "reader"};

int user_role(const char *word)
{
	for (int i = 0; i <= SW_ROLE_READER; i++)
		if (strcmp(word, role_words[i]) == 0)
			return i;
	return -1;
}

const char *user_role_word(enum sw_role role)
{
	return role_words[role];
}

static void on_note(void *owner, const char *key, const char *bytes, size_t len)
{
	struct sw_api *a = owner;
	json_t *o = NULL;
	struct sw_err e = sw_json_parse(bytes, len, &o);
	const char *role = sw_json_str(o, "role"), *digest = sw_json_str(o, "sha256");
	int found = role ? user_role(role) : -1;
	if (sw_failed(e) || found < 0 || !digest || strlen(digest) != 64)
		sw_log(WARN, "api", "a user record is unreadable and ignored", "key=%s", key);
	else
		user_insert(a, key + strlen(USER_PREFIX), (enum sw_role)found, sw_json_str(o, "namespaces"), digest);
	json_object_put(o);
}

struct sw_err users_load(struct sw_api *a)
{
	return sw_err_wrap(sw_store_notes(a->store, USER_PREFIX, on_note, a), "reading users");
}

void users_free(struct sw_api *a)
{
	struct user *u, *next;
	HASH_ITER(hh, a->users, u, next)
	{
		HASH_DEL(a->users, u);
		user_unref(u);
	}
}

static void on_user_kept(void *owner, struct sw_err err, uint64_t rv)
{
	(void)owner, (void)rv;
	if (sw_failed(err))
		sw_log(ERROR, "api", "a user could not be stored and will be gone after a restart", "error=\"%s\"",
		       err.text);
}

static struct sw_err user_check(const char *user, enum sw_role role, const char *namespaces)
{
	if (!*user || strlen(user) > 253 || strpbrk(user, "/\"\\ \n"))
		return sw_err(SW_E_INVALID,
			      "user name \"%s\": expected 1 to 253 characters without blanks, quotes or slashes", user);
	if (role == SW_ROLE_SUBMITTER && (!namespaces || !*namespaces))
		return sw_err(SW_E_INVALID,
			      "user \"%s\": a submitter needs namespaces, comma separated, or \"*\" for all", user);
	return SW_OK;
}

struct sw_err users_add(struct sw_api *a, const char *user, enum sw_role role, const char *namespaces, char token[65],
			sw_commit_fn *done, void *owner)
{
	unsigned char secret[32];
	char digest[65];
	token[0] = '\0';
	struct sw_err e = user_check(user, role, namespaces);
	if (sw_failed(e))
		return e;
	sw_random(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++)
		snprintf(token + 2 * i, 3, "%02x", secret[i]);
	OPENSSL_cleanse(secret, sizeof(secret));
	sw_sha256_hex(token, 64, digest);
	json_t *o = json_object_new_object();
	sw_json_set_str(o, "role", role_words[role]);
	sw_json_set_str(o, "sha256", digest);
	sw_json_set_str(o, "namespaces", namespaces ? namespaces : "");
	char *key = sw_asprintf(USER_PREFIX "%s", user);
	size_t len;
	char *text = sw_json_text(o, &len);
	e = sw_store_note_put(a->store, key, text, len, done, owner);
	if (!sw_failed(e))
		user_insert(a, user, role, namespaces, digest);
	free(key);
	free(text);
	json_object_put(o);
	return e;
}

struct sw_err sw_api_user_add(struct sw_api *a, const char *user, enum sw_role role, const char *namespaces,
			      char token[65])
{
	return users_add(a, user, role, namespaces, token, on_user_kept, NULL);
}

bool sw_api_user_known(struct sw_api *a, const char *user)
{
	struct user *u, *next;
	HASH_ITER(hh, a->users, u, next)
	{
		if (strcmp(u->name, user) == 0)
			return true;
	}
	return false;
}

struct sw_err users_drop(struct sw_api *a, const char *user, sw_commit_fn *done, void *owner)
{
	struct user *u, *next;
	bool found = false;
	HASH_ITER(hh, a->users, u, next)
	{
		if (strcmp(u->name, user) != 0)
			continue;
		HASH_DEL(a->users, u);
		user_unref(u);
		found = true;
	}
	if (!found)
		return sw_err(SW_E_MISSING, "there is no user \"%s\"", user);
	char *key = sw_asprintf(USER_PREFIX "%s", user);
	struct sw_err e = sw_store_note_put(a->store, key, NULL, 0, done, owner);
	free(key);
	return e;
}

struct user *user_by_token(struct sw_api *a, const char *token)
{
	char digest[65];
	struct user *u = NULL;
	size_t n = strlen(token);
	if (n == 0 || n > TOKEN_MAX)
		return NULL;
	sw_sha256_hex(token, n, digest);
	HASH_FIND_STR(a->users, digest, u);
	return u && CRYPTO_memcmp(u->digest, digest, 64) == 0 ? u : NULL;
}
