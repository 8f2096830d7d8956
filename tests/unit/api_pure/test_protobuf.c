/* SPDX-License-Identifier: Apache-2.0 */
/* test_protobuf.c - bodies captured from kubectl 1.33, and broken ones */
#include "pure.h"
#include "spillway/protobuf.h"

static size_t unhex(const char *hex, unsigned char *out)
{
	size_t n = 0;

	for (; hex[0] && hex[1]; hex += 2)
		out[n++] = (unsigned char)strtol((char[]){hex[0], hex[1], 0}, NULL, 16);
	return n;
}

struct row {
	const char *what, *hex, *out;
};
/* captured from kubectl 1.33: what it was told to do is the name */
static const struct row rows[] = {
	{"create job j3 --image=busybox -- true",
	 "6b3873000a0f0a0862617463682f763112034a6f621280010a120a026a3312001a0022002a003200380042001260325e0a100a0012001"
	 "a0022002a00320038004200124a"
	 "12270a026a33120762757379626f781a04747275652a0042006a007200800100880100900100a201001a054e65766572320042004a005"
	 "2005800600068008201008a0100"
	 "9a0100c201001a082000280030003a001a002200",
	 "{'apiVersion':'batch/"
	 "v1','kind':'Job','metadata':{'name':'j3'},'spec':{'template':{'metadata':{},'spec':{'containers':[{'name':'"
	 "j3',"
	 "'image':'busybox','command':['true'],'resources':{}}],'restartPolicy':'Never'}}},'status':{}}"},
	{"create namespace team-a",
	 "6b3873000a0f0a02763112094e616d657370616365121e0a160a067465616d2d6112001a0022002a0032003800420012001a020a001a0"
	 "02200",
	 "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'team-a'},'spec':{},'status':{}}"},
	{"create secret generic s1 --from-literal=a=b --from-literal=pw=hunter2",
	 "6b3873000a0c0a0276311206536563726574122d0a120a02733112001a0022002a0032003800420012060a0161120162120d0a0270771"
	 "20768756e746572321a001a002200",
	 "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'s1'},'data':{'a':'Yg==','pw':'aHVudGVyMg=='}}"},
	{"create configmap c1 --from-literal=k=v",
	 "6b3873000a0f0a0276311209436f6e6669674d6170121c0a120a02633112001a0022002a0032003800420012060a016b1201761a00220"
	 "0",
	 "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'c1'},'data':{'k':'v'}}"},
	{"auth can-i create jobs",
	 "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a656374416363657373526576696"
	 "57712440a100a0012001a002200"
	 "2a0032003800420012260a240a0764656661756c7412066372656174651a05626174636822002a046a6f627332003a001a08080012001"
	 "a0020001a002200",
	 "{'apiVersion':'authorization.k8s.io/"
	 "v1','kind':'SelfSubjectAccessReview','metadata':{},'spec':{'resourceAttributes':"
	 "{'namespace':'default','verb':'create','group':'batch','resource':'jobs'}},'status':{'allowed':false}}"},
	{"auth can-i --list",
	 "6b3873000a310a17617574686f72697a6174696f6e2e6b38732e696f2f7631121653656c665375626a65637452756c657352657669657"
	 "712230a100a0012001a0022002a"
	 "0032003800420012090a0764656661756c741a04180022001a002200",
	 "{'apiVersion':'authorization.k8s.io/"
	 "v1','kind':'SelfSubjectRulesReview','metadata':{},'spec':{'namespace':'default'},'status':{'incomplete':"
	 "false}}"},
	{"auth whoami",
	 "6b3873000a2d0a1861757468656e7469636174696f6e2e6b38732e696f2f7631121153656c665375626a656374526576696577121a0a1"
	 "00a0012001a0022002a00320038"
	 "00420012060a040a0012001a002200",
	 "{'apiVersion':'authentication.k8s.io/v1','kind':'SelfSubjectReview','metadata':{},'status':{'userInfo':{}}}"},
	{"create serviceaccount sa1",
	 "6b3873000a140a027631120e536572766963654163636f756e7412150a130a0373613112001a0022002a003200380042001a002200",
	 "{'apiVersion':'v1','kind':'ServiceAccount','metadata':{'name':'sa1'}}"},
};

Test(protobuf, decodes_what_kubectl_sends)
{
	struct sw_schema *s = schema_or_die();
	unsigned char bytes[2048];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *o = NULL;

		refused(rows[i].what, sw_protobuf_decode(s, bytes, unhex(rows[i].hex, bytes), &o), 0, NULL);
		same_json(rows[i].what, o, json_of(rows[i].out));
	}
	sw_schema_free(s);
	no_leaks();
}

/* An events.k8s.io Event as client-go's recorder sends it, written by hand: eventTime, regarding, a series, a label
 * map. */
Test(protobuf, decodes_times_maps_and_embedded_messages)
{
	static const struct row more[] = {
		{"event",
		 "6b3873000a190a106576656e74732e6b38732e696f2f763112054576656e7412570a0b0a01655a060a016c120176120b08dfd"
		 "191d806108094ef3a1a0a0802120608e0d191d8"
		 "0622056b7565756532064372656174653a075374617274656442080a034a6f621a016a520568656c6c6f5a064e6f726d616c",
		 "{'apiVersion':'events.k8s.io/"
		 "v1','kind':'Event','metadata':{'name':'e','labels':{'l':'v'}},'eventTime':'2026-11-23T16:25:03."
		 "123456Z',"
		 "'series':{'count':2,'lastObservedTime':'2026-11-23T16:25:04.000000Z'},'reportingController':'kueue','"
		 "action':'Create',"
		 "'reason':'Started','regarding':{'kind':'Job','name':'j'},'note':'hello','type':'Normal'}"},
		{"volume, probe, limits of a pod",
		 "6b3873000a090a0276311203506f64124d0a030a017012460a0e0a0176120912070a0012030a013112290a016312016952100"
		 "a0a12080a0012040800105010001805420f0a0d"
		 "0a0363707512060a043530306d4a01783a060a0161120162",
		 "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'spec':{'volumes':[{'name':'v','emptyDir':{'"
		 "sizeLimit':'1'}}],"
		 "'containers':[{'name':'c','image':'i','livenessProbe':{'httpGet':{'port':80},'timeoutSeconds':5},"
		 "'resources':{'limits':{'cpu':'500m'}}}],'serviceAccount':'x','nodeSelector':{'a':'b'}}}"},
	};
	struct sw_schema *s = schema_or_die();
	unsigned char bytes[2048];

	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		json_t *o = NULL;

		refused(more[i].what, sw_protobuf_decode(s, bytes, unhex(more[i].hex, bytes), &o), 0, NULL);
		same_json(more[i].what, o, json_of(more[i].out));
	}
	sw_schema_free(s);
	no_leaks();
}

Test(protobuf, broken_bodies_are_400)
{
	static const struct {
		const char *what, *hex, *words;
	} broken[] = {
		{"empty", "", "does not begin"},
		{"json", "7b7d7d7d7d", "does not begin"},
		{"nothing behind the magic", "6b387300", "no kind"},
		{"a length past the end", "6b3873000aff", "too early"},
		{"a length past the end of the body", "6b3873000a7f01", "past the end"},
		{"an endless number", "6b38730008ffffffffffffffffffffff01", "longer than 10 bytes"},
		{"a huge length", "6b3873000affffffffffffffffff01", "too large"},
		{"an unknown wire type", "6b3873000f", "unknown wire type"},
		{"a field number of zero", "6b38730002", "out of range"},
		{"an unknown kind", "6b3873000a090a0276311203466f6f",
		 "no kind \"Foo\" is registered for version \"v1\""},
		{"a kind from a CRD", "6b3873000a1d0a0f6b756265666c6f772e6f72672f7631120a5079546f7263684a6f621200",
		 "send it as JSON"},
		{"encoded once more", "6b3873000a0f0a02763112094e616d6573706163651a04677a6970", "encoded once more"},
		{"a string where a message is due", "6b3873000a0f0a02763112094e616d65737061636512020801",
		 "another wire type"},
		{"a name that is not UTF-8", "6b3873000a0f0a02763112094e616d65737061636512050a030a01ff", "not UTF-8"},
		{"a name with a zero byte", "6b3873000a0f0a02763112094e616d65737061636512060a040a026100", "not UTF-8"},
		{"cut inside", "6b3873000a0f0a02763112094e616d65737061636512070a160a06746561", "past the end"},
	};
	struct sw_schema *s = schema_or_die();
	unsigned char bytes[2048];

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		json_t *o = NULL;

		refused(broken[i].what, sw_protobuf_decode(s, bytes, unhex(broken[i].hex, bytes), &o), 400,
			broken[i].words);
		cr_expect_null(o);
	}
	sw_schema_free(s);
	no_leaks();
}

/* Every prefix of a good body, and every body with one byte changed, ends in an object or a 400. */
Test(protobuf, no_cut_and_no_changed_byte_does_harm)
{
	struct sw_schema *s = schema_or_die();
	unsigned char bytes[2048];
	size_t n = unhex(rows[0].hex, bytes);

	for (size_t i = 0; i < n; i++) {
		unsigned char was = bytes[i], *cut = malloc(i ? i : 1); /* its own block: a read past the end is seen */
		json_t *o = NULL;

		memcpy(cut, bytes, i);
		json_object_put(sw_protobuf_decode(s, cut, i, &o));
		json_object_put(o);
		free(cut);
		for (unsigned v = 0; v < 256; v += 5) {
			bytes[i] = (unsigned char)v;
			o = NULL;
			json_object_put(sw_protobuf_decode(s, bytes, n, &o));
			json_object_put(o);
		}
		bytes[i] = was;
	}
	sw_schema_free(s);
	no_leaks();
}

Test(protobuf, a_body_of_empty_messages_is_bounded)
{
	struct sw_schema *s = schema_or_die();
	static const unsigned char head[] =
		"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\xc4\xcf\x24\x12\xc0\xcf\x24"; /* raw: spec of 600,000 bytes */
	size_t n = 600000, at = sizeof(head) - 1;
	unsigned char *b = malloc(at + n);
	json_t *o = NULL;

	memcpy(b, head, at);
	for (size_t i = 0; i < n; i += 2) {
		b[at + i] = 0x12; /* an empty container */
		b[at + i + 1] = 0;
	}
	refused("many", sw_protobuf_decode(s, b, at + n, &o), 400, "too many values");
	free(b);
	sw_schema_free(s);
	no_leaks();
}

Test(protobuf, content_type)
{
	cr_expect(sw_protobuf_is("application/vnd.kubernetes.protobuf"));
	cr_expect(sw_protobuf_is("application/vnd.kubernetes.protobuf;type=x"));
	cr_expect_not(sw_protobuf_is("application/vnd.kubernetes.protobufs"));
	cr_expect_not(sw_protobuf_is("application/json"));
	cr_expect_not(sw_protobuf_is(NULL));
}
