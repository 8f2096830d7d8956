/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_cluster.c - in a pod: a kubeconfig of its service account, whose token is a file that is renewed
 */
#include <stdlib.h>
#include <string.h>

#include "spillway/kubeconfig.h"
#include "spillway/text.h"

struct sw_err sw_kubeconfig_of_pod(const char *data_dir, char **path)
{
	static const char account[] = "/var/run/secrets/kubernetes.io/serviceaccount";
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");

	*path = NULL;
	if (!host || !port || !data_dir)
		return sw_err(
			SW_E_INVALID,
			"manager.kubeconfig: empty, and this is no pod (KUBERNETES_SERVICE_HOST is not set): name "
			"the kubeconfig of the cluster that runs Kueue");
	const char *open = strchr(host, ':') ? "[" : "", *close = strchr(host, ':') ? "]" : "";
	char *text =
		sw_asprintf("apiVersion: v1\nkind: Config\ncurrent-context: pod\n"
			    "contexts: [{name: pod, context: {cluster: pod, user: pod}}]\n"
			    "clusters: [{name: pod, cluster: {server: 'https://%s%s%s:%s', "
			    "certificate-authority: %s/ca.crt}}]\nusers: [{name: pod, user: {tokenFile: %s/token}}]\n",
			    open, host, close, port, account, account);

	*path = sw_asprintf("%s/pod.kubeconfig", data_dir);
	struct sw_err e = sw_mkdirs(data_dir, 0700);

	if (!sw_failed(e))
		e = sw_file_write(*path, text, strlen(text), 0600);
	free(text);
	return e;
}
