/* SPDX-License-Identifier: Apache-2.0 */
/* test_translate.c - a template and a target give exactly this template; and what cannot be */
#include "kinds_test.h"
#include "spillway/translate.h"

static struct sw_catalog *catalog(void)
{
	struct sw_catalog *c;

	cr_assert(!sw_failed(sw_catalog_load(&c)));
	return c;
}

#define POD(resource, n) "{'spec':{'containers':[{'name':'c','resources':{'limits':{'" resource "':" n "}}}]}}"

/* model, resource, labels, taint, provider, spot: the target. */
static const struct row {
	const char *title, *template;
	const char *model, *resource, *labels, *taint, *provider;
	enum sw_spot spot;
	const char *gives, *says;
} rows[] = {
	{"nothing to say changes nothing but the taint of the GPU", POD("nvidia.com/gpu", "2"), "H100", NULL, NULL,
	 NULL, NULL, SW_SPOT_NEVER,
	 "{'spec':{'containers':[{'name':'c','resources':{'limits':{'nvidia.com/"
	 "gpu':2}}}],'tolerations':[{'key':'nvidia."
	 "com/gpu','operator':'Exists'}]}}",
	 "tolerates the taint nvidia.com/gpu"},
	{"a GPU becomes a slice where slices have a name", POD("nvidia.com/gpu", "'1'"), "A100-40GB-MIG-1g.5gb", NULL,
	 NULL, NULL, NULL, SW_SPOT_NEVER,
	 "{'spec':{'containers':[{'name':'c','resources':{'limits':{'nvidia.com/"
	 "mig-1g.5gb':'1'}}}],'tolerations':[{'key':"
	 "'nvidia.com/mig-1g.5gb','operator':'Exists'},{'key':'nvidia.com/gpu','operator':'Exists'}]}}",
	 "containers[0].resources.limits asks for nvidia.com/mig-1g.5gb: 1 instead of nvidia.com/gpu "
	 "(A100-40GB-MIG-1g.5gb)"},
	{"and stays a GPU where slices are counted as GPUs", POD("nvidia.com/gpu", "1"), "A100-40GB-MIG-1g.5gb",
	 "nvidia.com/gpu", NULL, NULL, NULL, SW_SPOT_NEVER,
	 "{'spec':{'containers':[{'name':'c','resources':{'limits':{'nvidia.com/"
	 "gpu':1}}}],'tolerations':[{'key':'nvidia."
	 "com/gpu','operator':'Exists'}]}}",
	 "tolerates"},
	{"a slice becomes a whole GPU", POD("nvidia.com/mig-1g.10gb", "1"), "T4", NULL, NULL, NULL, NULL, SW_SPOT_NEVER,
	 "{'spec':{'containers':[{'name':'c','resources':{'limits':{'nvidia.com/"
	 "gpu':1}}}],'tolerations':[{'key':'nvidia."
	 "com/gpu','operator':'Exists'}]}}",
	 "asks for nvidia.com/gpu: 1 instead of nvidia.com/mig-1g.10gb (T4)"},
	{"requests, limits and init containers agree",
	 "{'spec':{'initContainers':[{'resources':{'limits':{'nvidia.com/"
	 "gpu':1}}}],'containers':[{'resources':{'requests':"
	 "{'cpu':'1','nvidia.com/gpu':1},'limits':{'nvidia.com/gpu':1}}}]}}",
	 "MI300X", NULL, NULL, NULL, NULL, SW_SPOT_NEVER,
	 "{'spec':{'initContainers':[{'resources':{'limits':{'amd.com/"
	 "gpu':1}}}],'containers':[{'resources':{'requests':"
	 "{'cpu':'1','amd.com/gpu':1},'limits':{'amd.com/gpu':1}}}],'tolerations':[{'key':'amd.com/gpu','operator':"
	 "'Exists'}]}}",
	 "asks for amd.com/gpu: 1 instead of nvidia.com/gpu (MI300X)"},
	{"a TPU gets its topology and tolerates its taint", POD("google.com/tpu", "4"), "TPU-v5e", NULL,
	 "{'cloud.google.com/gke-nodepool':'tpu','cloud.google.com/gke-tpu-topology':'2x2'}", NULL, "gke",
	 SW_SPOT_ALLOW,
	 "{'spec':{'containers':[{'name':'c','resources':{'limits':{'google.com/"
	 "tpu':4}}}],'nodeSelector':{'cloud.google."
	 "com/gke-nodepool':'tpu','cloud.google.com/gke-tpu-topology':'2x2'},'tolerations':[{'key':'google.com/tpu',"
	 "'operator':'Exists'},{'key':'cloud.google.com/gke-spot','operator':'Exists'}]}}",
	 "runs on nodes with cloud.google.com/gke-tpu-topology=2x2"},
	{"a pool's labels win over the job's own", "{'spec':{'nodeSelector':{'disk':'ssd','gpu':'any'}}}", NULL, NULL,
	 "{'gpu':'h100'}", "p1", NULL, SW_SPOT_NEVER,
	 "{'spec':{'nodeSelector':{'disk':'ssd','gpu':'h100'},'tolerations':[{'key':'spillway.dev/"
	 "burst','operator':'Equal',"
	 "'value':'p1'}]}}",
	 "runs on nodes with gpu=h100 instead of any"},
	{"several values become an affinity in every alternative of the job's own",
	 "{'spec':{'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':["
	 "{'matchExpressions':[{'key':'a','operator':'Exists'}]},{'matchFields':[]}]}}}}}",
	 NULL, NULL, "{'nvidia.com/gpu.product':['NVIDIA-H100-80GB-HBM3','NVIDIA-H100-NVL']}", NULL, NULL,
	 SW_SPOT_NEVER,
	 "{'spec':{'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':["
	 "{'matchExpressions':[{'key':'a','operator':'Exists'},{'key':'nvidia.com/"
	 "gpu.product','operator':'In','values':["
	 "'NVIDIA-H100-80GB-HBM3','NVIDIA-H100-NVL']}]},{'matchFields':[],'matchExpressions':[{'key':'nvidia.com/gpu."
	 "product','operator':'In','values':['NVIDIA-H100-80GB-HBM3','NVIDIA-H100-NVL']}]}]}}}}}",
	 "runs on nodes whose nvidia.com/gpu.product is one of [\"NVIDIA-H100-80GB-HBM3\",\"NVIDIA-H100-NVL\"]"},
	{"spot on GKE is asked for", "{'spec':{}}", NULL, NULL, NULL, NULL, "gke", SW_SPOT_REQUIRE,
	 "{'spec':{'tolerations':[{'key':'cloud.google.com/"
	 "gke-spot','operator':'Exists'}],'nodeSelector':{'cloud.google.com/"
	 "gke-spot':'true'}}}",
	 "runs on nodes with cloud.google.com/gke-spot=true"},
	{"spot on AKS is asked for", "{'spec':{}}", NULL, NULL, NULL, NULL, "aks", SW_SPOT_REQUIRE,
	 "{'spec':{'tolerations':[{'key':'kubernetes.azure.com/scalesetpriority','operator':'Exists'}],'nodeSelector':{"
	 "'kubernetes.azure.com/scalesetpriority':'spot'}}}",
	 "runs on nodes with kubernetes.azure.com/scalesetpriority=spot"},
	{"spot where nobody knows the cloud is tolerated", "{'spec':{}}", NULL, NULL, NULL, NULL, "static",
	 SW_SPOT_REQUIRE,
	 "{'spec':{'tolerations':[{'key':'cloud.google.com/gke-spot','operator':'Exists'},{'key':'kubernetes.azure.com/"
	 "scalesetpriority','operator':'Exists'}]}}",
	 "tolerates the taint kubernetes.azure.com/scalesetpriority"},
	{"GKE does not taint its spot nodes: others keep off by themselves", "{'spec':{}}", NULL, NULL, NULL, NULL,
	 "gke", SW_SPOT_NEVER,
	 "{'spec':{'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{"
	 "'matchExpressions':[{'key':'cloud.google.com/gke-spot','operator':'NotIn','values':['true']}]}]}}}}}",
	 "keeps off spot nodes"},
	{"AKS does", "{'spec':{}}", NULL, NULL, NULL, NULL, "aks", SW_SPOT_NEVER, "{'spec':{}}", NULL},
	{"the job's own tolerations serve",
	 "{'spec':{'tolerations':[{'operator':'Exists'}],'containers':[{'resources':{'limits':{'nvidia.com/"
	 "gpu':1}}}]}}",
	 "H100", NULL, NULL, "p", "aks", SW_SPOT_ALLOW,
	 "{'spec':{'tolerations':[{'operator':'Exists'}],'containers':[{'resources':{'limits':{'nvidia.com/"
	 "gpu':1}}}]}}",
	 NULL},
	{"but not one with an effect or an end",
	 "{'spec':{'tolerations':[{'key':'spillway.dev/"
	 "burst','operator':'Exists','effect':'NoExecute','tolerationSeconds':5}"
	 "]}}",
	 NULL, NULL, NULL, "p", NULL, SW_SPOT_NEVER,
	 "{'spec':{'tolerations':[{'key':'spillway.dev/"
	 "burst','operator':'Exists','effect':'NoExecute','tolerationSeconds':5}"
	 ",{'key':'spillway.dev/burst','operator':'Equal','value':'p'}]}}",
	 "tolerates the taint spillway.dev/burst=p"},
	{"misshapen parts are put right",
	 "{'spec':{'nodeSelector':[1],'tolerations':'x','affinity':7,'containers':{'a':1}}}", "H100", NULL,
	 "{'a':'b','c':['d']}", NULL, NULL, SW_SPOT_NEVER,
	 "{'spec':{'nodeSelector':{'a':'b'},'tolerations':[{'key':'nvidia.com/gpu','operator':'Exists'}],'affinity':{"
	 "'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[{'matchExpressions':[{"
	 "'key':"
	 "'c','operator':'In','values':['d']}]}]}}},'containers':{'a':1}}}",
	 "runs on nodes with a=b"},
};

static bool said(json_t *list, const char *text)
{
	for (size_t i = 0; i < sw_json_len(list); i++)
		if (strstr(sw_json_str(sw_json_idx(list, i), "text"), text))
			return true;
	return text == NULL || false;
}

Test(kinds_translate, each_target_gives_its_template_and_says_so_once)
{
	struct sw_catalog *c = catalog();

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *r = &rows[i];
		json_t *template = json_of(r->template), *gives = json_of(r->gives), *list = json_object_new_array();
		struct sw_target to = {.gpu = sw_catalog_gpu(c, r->model),
				       .gpu_resource = r->resource,
				       .labels = r->labels ? json_of(r->labels) : NULL,
				       .burst_taint = r->taint,
				       .provider = r->provider,
				       .spot = r->spot};
		struct sw_err e = sw_translate(template, "spec.template", &to, list);

		cr_expect(!sw_failed(e), "%s: %s", r->title, e.text);
		cr_expect(!r->model || to.gpu, "%s", r->model);
		cr_expect(json_object_equal(template, gives), "%s: %s", r->title, json_object_to_json_string(template));
		if (r->says)
			cr_expect(said(list, r->says), "%s: %s", r->title, json_object_to_json_string(list));
		else
			cr_expect_eq(sw_json_len(list), 0, "%s: %s", r->title, json_object_to_json_string(list));
		json_object_put(list);
		list = json_object_new_array();
		cr_expect(!sw_failed(sw_translate(template, "spec.template", &to, list)));
		cr_expect(json_object_equal(template, gives) && sw_json_len(list) == 0, "%s: twice: %s", r->title,
			  json_object_to_json_string(list));
		json_object_put(list);
		json_object_put(to.labels);
		json_object_put(gives);
		json_object_put(template);
	}
	sw_catalog_free(c);
}

Test(kinds_translate, what_a_target_cannot_serve_is_refused_with_its_path)
{
	static const struct {
		const char *template, *model, *says;
	} bad[] = {
		{POD("nvidia.com/gpu", "2"), "A100-40GB-MIG-1g.5gb",
		 "spec.template.containers[0].resources.limits[nvidia.com/gpu]: found 2, expected 1"},
		{POD("nvidia.com/gpu", "4"), "TPU-v5e", "nodes that count google.com/tpu cannot serve"},
		{POD("google.com/tpu", "4"), "H100", "nodes that count nvidia.com/gpu cannot serve"},
		{POD("amd.com/gpu", "1"), "A100-40GB-MIG-1g.5gb", "cannot serve"},
		{"[]", "H100", "spec.template: expected a pod template"},
	};
	struct sw_catalog *c = catalog();

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		json_t *template = json_of(bad[i].template);
		struct sw_target to = {.gpu = sw_catalog_gpu(c, bad[i].model)};
		struct sw_err e = sw_translate(template, "spec.template", &to, NULL);

		cr_assert_not_null(to.gpu, "%s", bad[i].model);
		cr_expect_eq(e.code, SW_E_INVALID);
		cr_expect(strstr(e.text, bad[i].says) != NULL, "%s", e.text);
		json_object_put(template);
	}
	sw_catalog_free(c);
}

Test(kinds_translate, every_template_of_a_job_is_translated)
{
	struct sw_catalog *c = catalog();
	json_t *job = json_of(
		       "{'apiVersion':'kubeflow.org/v1','kind':'MPIJob','spec':{'mpiReplicaSpecs':{'Launcher':{"
		       "'template':{'spec':{}}},'Worker':{'replicas':2,'template':" POD("nvidia.com/gpu", "1") "}}}}"),
	       *list = json_object_new_array();
	struct sw_target to = {.gpu = sw_catalog_gpu(c, "H100"), .spot = SW_SPOT_NEVER};

	cr_assert(!sw_failed(sw_translate_job(&sw_kind_mpi, job, &to, list)));
	cr_expect(sw_json_at(job, "spec.mpiReplicaSpecs.Launcher.template.spec.tolerations"),
		  "the launcher goes where the GPUs are");
	cr_expect_eq(sw_json_len(list), 2);
	cr_expect_str_eq(sw_json_str(sw_json_idx(list, 1), "path"), "spec.mpiReplicaSpecs.Worker.template", "%s",
			 json_object_to_json_string(list));
	json_object_put(list);
	json_object_put(job);
	sw_catalog_free(c);
}
