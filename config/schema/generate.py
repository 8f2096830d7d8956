#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes gateway/api/schema/{builtin,crd}.schema from the published API definitions. For maintainers; needs Go and PyYAML.

    config/schema/generate.py            (run at the top of the tree)

Only facts are taken: field names, numbers, types, required, enums, bounds, merge keys, list types. No descriptions.
Sources, fetched through the Go module proxy:
  k8s.io/kubernetes   api/openapi-spec/v3     names, types, required, list types, merge keys
  k8s.io/api, k8s.io/apimachinery             generated.proto: field numbers; types.go: enums
  sigs.k8s.io/kueue, kubeflow/training-operator   CRDs

The format is described in gateway/api/schema/README.md. Hand-written beside the output: defaults.schema, describe.schema,
sim.schema.
"""
import glob, json, os, re, subprocess, sys, tempfile
import yaml

KUBE, API, KUEUE, TRAINING = "v1.36.1", "v0.36.1", "v0.19.2", "v1.9.3"
OUT = "gateway/api/schema"
LONG = (("io.k8s.api.", ""), ("io.k8s.apimachinery.pkg.apis.", ""))
ROOTS = ["batch.v1.Job", "core.v1.Pod", "core.v1.Namespace", "core.v1.Secret", "core.v1.ConfigMap", "core.v1.Node",
         "core.v1.Event", "core.v1.ServiceAccount", "events.v1.Event", "coordination.v1.Lease", "meta.v1.DeleteOptions",
         "authorization.v1.SelfSubjectAccessReview", "authorization.v1.SelfSubjectRulesReview",
         "authentication.v1.SelfSubjectReview", "meta.v1.Condition"]
SPECIAL = {"io.k8s.apimachinery.pkg.api.resource.Quantity": "q", "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
           "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "u", "io.k8s.apimachinery.pkg.apis.meta.v1.Duration": "d",
           "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "o", "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "x",
           "io.k8s.apimachinery.pkg.runtime.RawExtension": "x"}
# Patterns of the CRDs that we know by name; others are dropped (and reported), the API server of a worker checks them again.
PATTERNS = {
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$": "subdomain",
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "label",
    r"^(?i)[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "label",
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$": "key",
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$": "key",
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$": "key",
    r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$": "reason",
}
dropped = set()


def module_dirs():
    with tempfile.TemporaryDirectory() as d:
        open(d + "/go.mod", "w").write("module schema\ngo 1.24\n")
        out = {}
        for m in ("k8s.io/kubernetes@" + KUBE, "k8s.io/api@" + API, "k8s.io/apimachinery@" + API,
                  "sigs.k8s.io/kueue@" + KUEUE, "github.com/kubeflow/training-operator@" + TRAINING):
            j = json.loads(subprocess.run(["go", "mod", "download", "-json", m], cwd=d, check=True,
                                          stdout=subprocess.PIPE).stdout)
            out[m.split("@")[0]] = j["Dir"]
        return out


def short(name):
    for long_, s in LONG:
        if name.startswith(long_):
            return s + name[len(long_):]
    return name


def read_protos(dirs):
    """{message short name: {field: (number, type)}}"""
    out = {}
    files = glob.glob(dirs["k8s.io/api"] + "/*/*/generated.proto") + \
        glob.glob(dirs["k8s.io/apimachinery"] + "/pkg/apis/meta/v1/generated.proto")
    for f in files:
        text = open(f).read()
        package = re.search(r"^package k8s\.io\.(.*);", text, re.M).group(1)
        package = package.replace("apimachinery.pkg.apis.", "").replace("api.", "", 1)
        message = None
        for line in text.split("\n"):
            m = re.match(r"message (\w+) \{", line)
            if m:
                message = out.setdefault(package + "." + m.group(1), {})
                continue
            m = re.match(r"  (?:optional|repeated)? ?(map<[^>]+>|[.\w]+) (\w+) = (\d+);", line)
            if m and message is not None:
                kind = m.group(1).lstrip(".").replace("k8s.io.apimachinery.pkg.apis.", "").replace("k8s.io.api.", "")
                message[m.group(2)] = (int(m.group(3)), kind if "." in kind else package + "." + kind)
    return out


def read_types(dirs):
    """{(package dir, Go struct, json name): {"enum": [values], "pointer": bool}}; under the name "<" the embedded structs"""
    out = {}
    files = glob.glob(dirs["k8s.io/api"] + "/*/*/types.go") + glob.glob(dirs["k8s.io/apimachinery"] + "/pkg/apis/meta/v1/types.go")
    for f in files:
        package = ".".join(os.path.dirname(f).split("/")[-2:])
        text = open(f).read()
        enums = set(re.findall(r"// \+enum\n(?://[^\n]*\n)*type (\w+) string", text))
        values = {}
        for name, typ, val in re.findall(r"^\s*(\w+)\s+(\w+)\s*=\s*\"([^\"]*)\"", text, re.M):
            if typ in enums:
                values.setdefault(typ, []).append(val)
        struct = None
        for line in text.split("\n"):
            m = re.match(r"type (\w+) struct", line)
            if m:
                struct = m.group(1)
            m = re.match(r"\s+\w+\s+(\[\])?(\*?)([\w.]+)\s+`json:\"(\w+)", line)
            if m and struct:
                out[(package, struct, m.group(4))] = {"enum": values.get(m.group(3)), "pointer": m.group(2) == "*"}
            # an embedded struct's fields are hoisted: remembered by the struct that embeds it
            m = re.match(r"\s+(\w+)\s+`json:\",inline\"", line)
            if m and struct:
                out.setdefault((package, struct, "<"), []).append(m.group(1))
    return out


class Builtin:
    def __init__(self, dirs):
        self.schemas = {}
        for f in glob.glob(dirs["k8s.io/kubernetes"] + "/api/openapi-spec/v3/*.json"):
            d = json.load(open(f))
            self.schemas.update(d.get("components", {}).get("schemas", {}))
        self.protos, self.types = read_protos(dirs), read_types(dirs)
        self.done, self.lines = {}, []

    def type_of(self, p, todo):
        if "allOf" in p:
            p = dict(p, **p["allOf"][0])
        if "$ref" in p:
            name = p["$ref"].split("/")[-1]
            if name in SPECIAL:
                return SPECIAL[name]
            target = self.schemas[name]
            if "properties" not in target:   # ExtraValue and the like
                return self.type_of(target, todo) if target.get("type") != "object" else "x"
            todo.append(name)
            return "@" + short(name)
        t = p.get("type")
        if t == "array":
            return "[]" + self.type_of(p["items"], todo)
        if t == "object":
            return "{}" + self.type_of(p["additionalProperties"], todo) if "additionalProperties" in p else "x"
        if t == "string":
            return {"byte": "y", "date-time": "t"}.get(p.get("format"), "s")
        if t == "integer":
            return {"int32": "i", "int64": "l"}.get(p.get("format"), "l")
        return {"boolean": "b", "number": "f"}.get(t, "j")

    def number(self, message, field):
        proto = self.protos.get(message, {})
        if field in proto:
            return str(proto[field][0])
        for inline, (num, kind) in proto.items():
            inner = self.protos.get(kind, {})
            if field in inner and inline not in self.schemas_props(message):
                return "%d.%d" % (num, inner[field][0])
        return "0"

    def schemas_props(self, message):
        for long_, s in LONG:
            full = long_ + message
            if full in self.schemas:
                return self.schemas[full].get("properties", {})
        return {}

    def go(self, message, field):
        group, version, kind = message.split(".", 2)
        package = group + "." + version
        for struct in [kind] + self.types.get((package, kind, "<"), []):
            if (package, struct, field) in self.types:
                return self.types[(package, struct, field)]
        return {"enum": None, "pointer": False}

    def flags(self, name, field, p, required):
        f = []
        if field in required:
            f.append("!")
        strategy = p.get("x-kubernetes-patch-strategy", "")
        if "merge" in strategy.split(","):
            f.append("m=" + p.get("x-kubernetes-patch-merge-key", ""))
        if "retainKeys" in strategy.split(","):
            f.append("r")
        kind = p.get("x-kubernetes-list-type")
        if kind == "map":
            f.append("L=" + ",".join(p["x-kubernetes-list-map-keys"]))
        elif kind == "set":
            f.append("S")
        if p.get("x-kubernetes-map-type") == "atomic":
            f.append("A")
        go = self.go(name, field)
        if go["pointer"] and p.get("type") in ("integer", "string", "boolean"):
            f.append("*")
        if go["enum"]:
            f.append("E=" + "|".join(go["enum"]))
        d = p.get("default")
        if d not in (None, "", {}, 0, False):
            f.append("=" + json.dumps(d, separators=(",", ":")))
        return f

    def run(self):
        todo = []
        for r in ROOTS:
            group = r.split(".")[0]
            todo.append(("io.k8s.apimachinery.pkg.apis." if group == "meta" else "io.k8s.api.") + r)
        while todo:
            full = todo.pop()
            name = short(full)
            if name in self.done:
                continue
            s = self.schemas[full]
            required = s.get("required", [])
            rows = []
            for field, p in s.get("properties", {}).items():
                if field in ("apiVersion", "kind") and "x-kubernetes-group-version-kind" in s:
                    continue
                t = self.type_of(p, todo)
                rows.append((self.number(name, field), " ".join([self.number(name, field), field, t] +
                             self.flags(name, field, p, required))))
            rows.sort(key=lambda r: [int(x) for x in r[0].split(".")])
            atomic = " A" if s.get("x-kubernetes-map-type") == "atomic" else ""
            self.done[name] = ["M " + name + atomic] + [r[1] for r in rows]
        return self.done


class Crd:
    def __init__(self):
        self.done, self.same = {}, {}

    def leaf_flags(self, p):
        f = []
        if "enum" in p:
            f.append("E=" + "|".join(str(x) for x in p["enum"]))
        for key, flag in (("minimum", "min"), ("maximum", "max"), ("minLength", "minlen"), ("maxLength", "maxlen")):
            if key in p:
                f.append("%s=%d" % (flag, p[key]))
        if "pattern" in p and not p.get("x-kubernetes-int-or-string"):
            if p["pattern"] in PATTERNS:
                f.append("p=" + PATTERNS[p["pattern"]])
            else:
                dropped.add(p["pattern"])
        return f

    def type_of(self, p, path):
        t = p.get("type")
        if p.get("x-kubernetes-int-or-string"):
            return ("q" if "pattern" in p else "o"), []
        if t == "array":
            inner, flags = self.type_of(p["items"], path)
            return "[]" + inner, flags
        if t == "object":
            props = p.get("properties")
            if props:
                if "containers" in props.get("spec", {}).get("properties", {}):
                    return "@core.v1.PodTemplateSpec", []
                return "@" + self.message(path, p), []
            if "additionalProperties" in p:
                inner, flags = self.type_of(p["additionalProperties"], path)
                return "{}" + inner, flags
            return "x", []
        flags = self.leaf_flags(p)
        if t == "string":
            return {"byte": "y", "date-time": "t"}.get(p.get("format"), "s"), flags
        if t == "integer":
            return {"int32": "i"}.get(p.get("format"), "l"), flags
        return {"boolean": "b", "number": "f"}.get(t, "j"), flags

    def message(self, path, p, top=False):
        rows = []
        for field, q in p["properties"].items():
            if top and field in ("apiVersion", "kind"):
                continue
            if top and field == "metadata":
                t, flags = "@meta.v1.ObjectMeta", []
            else:
                t, flags = self.type_of(q, path + "." + field)
            if field in p.get("required", []):
                flags.insert(0, "!")
            kind = q.get("x-kubernetes-list-type")
            if kind == "map":
                flags.append("L=" + ",".join(q["x-kubernetes-list-map-keys"]))
            elif kind == "set":
                flags.append("S")
            if q.get("x-kubernetes-map-type") == "atomic":
                flags.append("A")
            for key, flag in (("minItems", "minn"), ("maxItems", "maxn"), ("minProperties", "minn"), ("maxProperties", "maxn")):
                if key in q:
                    flags.append("%s=%d" % (flag, q[key]))
            if "default" in q:
                flags.append("=" + json.dumps(q["default"], separators=(",", ":")))
            rows.append(" ".join(["0", field, t] + flags))
        if not top and "\n".join(rows) in self.same:
            return self.same["\n".join(rows)]
        self.same["\n".join(rows)] = path
        self.done[path] = ["M " + path + (" A" if p.get("x-kubernetes-map-type") == "atomic" else "")] + rows
        return path

    def add(self, file, prefix, version):
        d = yaml.safe_load(open(file))
        v = [v for v in d["spec"]["versions"] if v["name"] == version][0]
        self.message("%s.%s.%s" % (prefix, version, d["spec"]["names"]["kind"]), v["schema"]["openAPIV3Schema"], True)


def write(name, source, messages):
    with open("%s/%s.schema" % (OUT, name), "w") as f:
        f.write("# SPDX-License-Identifier: Apache-2.0\n# Generated by config/schema/generate.py; do not edit. Source: %s\n" % source)
        for m in sorted(messages):
            f.write("\n".join(messages[m]) + "\n")


def main():
    dirs = module_dirs()
    write("builtin", "k8s.io/kubernetes %s (OpenAPI v3), k8s.io/api and k8s.io/apimachinery %s" % (KUBE, API), Builtin(dirs).run())
    crd = Crd()
    base = dirs["sigs.k8s.io/kueue"] + "/config/components/crd/bases/kueue.x-k8s.io_"
    for kind in ("localqueues", "clusterqueues", "resourceflavors", "workloadpriorityclasses", "workloads", "admissionchecks"):
        crd.add(base + kind + ".yaml", "kueue", "v1beta2")
    base = dirs["github.com/kubeflow/training-operator"] + "/manifests/base/crds/kubeflow.org_"
    for kind in ("pytorchjobs", "tfjobs", "paddlejobs", "xgboostjobs", "jaxjobs", "mpijobs"):
        crd.add(base + kind + ".yaml", "kubeflow", "v1")
    write("crd", "sigs.k8s.io/kueue %s, github.com/kubeflow/training-operator %s (CRDs)" % (KUEUE, TRAINING), crd.done)
    for p in sorted(dropped):
        print("pattern not kept:", p, file=sys.stderr)


main()
