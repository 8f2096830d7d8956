/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c - looks at a cluster before it is added, and at the manager's MultiKueueClusters */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster.h"
#include "spillway/text.h"

#define KUEUE "/apis/kueue.x-k8s.io/v1beta2"

/* The same reader as the gateway's looks at what will be written, so what it would refuse is refused here. */
static struct sw_err open_there(const char *name, json_t *kubeconfig, struct cli_client *c)
{
	size_t len;
	char path[] = "/tmp/spillway-kubeconfig-XXXXXX", *text = sw_json_text(kubeconfig, &len);
	int fd = mkstemp(path);
	struct sw_err e = SW_OK;

	if (fd < 0 || write(fd, text, len) != (ssize_t)len)
		e = sw_err(SW_E_IO, "%s: could not be written", path);
	free(text);
	if (!sw_failed(e))
		e = cli_client_open(path, NULL, c);
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	return sw_failed(e) ? sw_err_wrap(e, "cluster %s", name) : e;
}

struct sw_err cluster_probe(const char *name, json_t *kubeconfig, struct cluster_found *out)
{
	struct cli_client c;
	json_t *version = NULL, *kueue = NULL;
	struct sw_err e = open_there(name, kubeconfig, &c);

	*out = (struct cluster_found){0};
	if (sw_failed(e))
		return e;
	e = cli_client_call(&c, "GET", "/version", NULL, NULL, &version);
	if (!sw_failed(e)) {
		const char *git = sw_json_str(version, "gitVersion");
		sw_cut(out->version, sizeof out->version, git ? git : "of unknown version");
		struct sw_err none = cli_client_call(&c, "GET", KUEUE, NULL, NULL, &kueue);
		out->kueue = !sw_failed(none);
		if (sw_failed(none) && none.code != SW_E_MISSING)
			e = none;
	}
	json_object_put(version);
	json_object_put(kueue);
	cli_client_close(&c);
	return sw_failed(e) ? sw_err_wrap(e, "cluster %s", name) : e;
}

/* ---- MultiKueueCluster --------------------------------------------------------------------- */

static struct sw_err read_secret(struct cli_client *c, const char *name, const char *secret, char **text, size_t *len)
{
	struct sw_buf path;
	json_t *o;
	unsigned char *bytes = NULL;

	sw_buf_init(&path, 1024);
	sw_kube_path(&path, "", "v1", "secrets", "kueue-system", secret, NULL);
	struct sw_err e = cli_client_call(c, "GET", path.at, NULL, NULL, &o);
	sw_buf_fini(&path);
	if (sw_failed(e))
		return e;
	const char *data = json_object_get_string(sw_json_key(sw_json_key(o, "data"), "kubeconfig"));
	e = data ? sw_base64_decode(data, strlen(data), &bytes, len)
		 : sw_err(SW_E_INVALID, "Secret kueue-system/%s of MultiKueueCluster %s has no key \"kubeconfig\"",
			  secret, name);
	*text = (char *)bytes;
	json_object_put(o);
	return e;
}

static struct sw_err read_source(struct cli_client *c, const char *name, json_t *mkc, char **text, size_t *len)
{
	const char *where = sw_json_str(mkc, "spec.clusterSource.kubeConfig.location"),
		   *type = sw_json_str(mkc, "spec.clusterSource.kubeConfig.locationType");

	if (!where)
		return sw_err(
			SW_E_UNSUPPORTED,
			"MultiKueueCluster %s has no spec.clusterSource.kubeConfig: give its kubeconfig with --from",
			name);
	if (type && strcmp(type, "Path") == 0)
		return sw_err(
			SW_E_UNSUPPORTED,
			"MultiKueueCluster %s names %s, a file in Kueue's container: give its kubeconfig with --from",
			name, where);
	return read_secret(c, name, where, text, len);
}

struct sw_err cluster_from_multikueue(const struct cluster_args *a, json_t **out)
{
	struct cli_client c;
	struct sw_buf path;
	json_t *mkc = NULL;
	char *text = NULL;
	size_t len = 0;
	struct sw_err e = cli_client_open(a->manager, NULL, &c);

	*out = NULL;
	if (sw_failed(e))
		return e;
	sw_buf_init(&path, 1024);
	sw_kube_path(&path, "kueue.x-k8s.io", "v1beta2", "multikueueclusters", NULL, a->multikueue, NULL);
	e = cli_client_call(&c, "GET", path.at, NULL, NULL, &mkc);
	if (!sw_failed(e))
		e = read_source(&c, a->multikueue, mkc, &text, &len);
	if (!sw_failed(e))
		e = cluster_flatten(a->multikueue, text, len, NULL, a->name, out);
	free(text);
	json_object_put(mkc);
	sw_buf_fini(&path);
	cli_client_close(&c);
	return e;
}
