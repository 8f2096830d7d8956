/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubeconfig.c - kubeconfigs from memory, and what an exec plugin printed
 *
 * Parts: the kubeconfig, the context ("": the current one), the plugin's output.
 */
#include <string.h>

#include "../../gateway/auth/auth_priv.h"
#include "fuzz.h"
#include "spillway/kubeconfig.h"

static void plugin(const char *text, size_t len)
{
	char command[] = "plugin", version[] = "client.authentication.k8s.io/v1";
	struct exec_spec x = {.command = command, .api_version = version};
	struct exec_result r = {.expires_ms = -1};
	struct sw_err e = exec_reply_parse(&x, text, len, &r);

	FUZZ_CHECK(sw_failed(e) ? e.text[0] != 0 : r.token || (r.cert && r.key));
	exec_result_fini(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts p = fuzz_split(data, size);
	struct sw_kubeconfig *kc;
	struct sw_err e = sw_kubeconfig_parse("kc", p.at[0], p.len[0], p.len[1] ? p.at[1] : NULL, &kc);

	if (sw_failed(e)) {
		FUZZ_REFUSED(e, kc);
	} else {
		size_t n = strlen(sw_kubeconfig_server(kc));

		FUZZ_CHECK(n && sw_kubeconfig_server(kc)[n - 1] != '/' && *sw_kubeconfig_namespace(kc));
	}
	sw_kubeconfig_free(kc);
	plugin(p.at[2], p.len[2]);
	fuzz_parts_free(&p);
	return 0;
}
