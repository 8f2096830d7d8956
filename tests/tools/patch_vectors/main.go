// SPDX-License-Identifier: Apache-2.0

// Prints random Jobs, the strategic merge patch between them and its result, and what server-side apply's library makes of
// them: one JSON object a line, for tests/unit/api_pure/test_vectors.c. For maintainers; needs Go.
//
//	go mod init diff; mkdir schema
//	sed 's/^package internal/package schema/' $(go list -m -f '{{.Dir}}' k8s.io/client-go@v0.36.1)/applyconfigurations/internal/internal.go >schema/internal.go
//	go get k8s.io/api@v0.36.1 k8s.io/apimachinery@v0.36.1 sigs.k8s.io/structured-merge-diff/v6@v6.4.2
//	go run . 3000 >vectors.jsonl
//
// cur, mod: live and applied; patch, smp: strategic merge patch and result; set: fields of mod; merged: mod applied to cur;
// changed: fields that differ between cur and merged. data/patch_vectors.jsonl keeps the shortest 30, nulls and directives
// dropped from smp as typed decoding drops them.
package main

import (
	"diff/schema"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

type M = map[string]interface{}
type L = []interface{}

var r = rand.New(rand.NewSource(7))

func pick(n int) bool { return r.Intn(n) == 0 }
func uniq(max, n int) []int {
	p := r.Perm(max)
	return p[:r.Intn(n+1)]
}
func strmap() M {
	m := M{}
	for _, i := range uniq(4, 3) {
		m["k"+strconv.Itoa(i)] = "v" + strconv.Itoa(r.Intn(3))
	}
	return m
}
func container(i int) M {
	c := M{"name": "c" + strconv.Itoa(i)}
	if !pick(3) {
		c["image"] = "i" + strconv.Itoa(r.Intn(3))
	}
	if pick(2) {
		e := L{}
		for _, j := range uniq(5, 4) {
			v := M{"name": "E" + strconv.Itoa(j)}
			if pick(3) {
				v["valueFrom"] = M{"fieldRef": M{"fieldPath": "metadata.name"}}
			} else {
				v["value"] = strconv.Itoa(r.Intn(3))
			}
			e = append(e, v)
		}
		c["env"] = e
	}
	if pick(2) {
		e := L{}
		for _, j := range uniq(4, 3) {
			v := M{"containerPort": int64(80 + j)}
			if pick(2) {
				v["name"] = "p" + strconv.Itoa(r.Intn(3))
			}
			if pick(2) {
				v["protocol"] = "TCP"
			}
			e = append(e, v)
		}
		c["ports"] = e
	}
	if pick(2) {
		e := L{}
		for _, j := range uniq(3, 2) {
			e = append(e, "a"+strconv.Itoa(j))
		}
		c["args"] = e
	}
	if pick(2) {
		c["resources"] = M{"limits": M{"cpu": strconv.Itoa(r.Intn(3) + 1)}}
	}
	if pick(3) {
		e := L{}
		for _, j := range uniq(3, 3) {
			e = append(e, M{"name": "v" + strconv.Itoa(r.Intn(2)), "mountPath": "/m" + strconv.Itoa(j)})
		}
		c["volumeMounts"] = e
	}
	return c
}
func volume(i int) M {
	v := M{"name": "v" + strconv.Itoa(i)}
	switch r.Intn(3) {
	case 0:
		v["emptyDir"] = M{}
	case 1:
		v["hostPath"] = M{"path": "/h" + strconv.Itoa(r.Intn(2))}
	case 2:
		v["configMap"] = M{"name": "x" + strconv.Itoa(r.Intn(2))}
	}
	return v
}
func job() M {
	spec := M{}
	pod := M{}
	meta := M{"name": "j"}
	if pick(2) {
		meta["labels"] = strmap()
	}
	if pick(2) {
		meta["annotations"] = strmap()
	}
	if pick(2) {
		f := L{}
		for _, i := range uniq(4, 3) {
			f = append(f, "f/"+strconv.Itoa(i))
		}
		meta["finalizers"] = f
	}
	if pick(2) {
		spec["suspend"] = pick(2)
	}
	if pick(2) {
		spec["parallelism"] = int64(r.Intn(3))
	}
	cs := L{}
	for _, i := range uniq(4, 4) {
		cs = append(cs, container(i))
	}
	pod["containers"] = cs
	if pick(2) {
		vs := L{}
		for _, i := range uniq(4, 3) {
			vs = append(vs, volume(i))
		}
		pod["volumes"] = vs
	}
	if pick(2) {
		pod["nodeSelector"] = strmap()
	}
	if pick(3) {
		t := L{}
		for i := 0; i < r.Intn(3); i++ {
			t = append(t, M{"key": "t" + strconv.Itoa(r.Intn(3)), "operator": "Exists"})
		}
		pod["tolerations"] = t
	}
	if pick(3) {
		pod["affinity"] = M{"nodeAffinity": M{"requiredDuringSchedulingIgnoredDuringExecution": M{"nodeSelectorTerms": L{M{"matchExpressions": L{M{"key": "a", "operator": "Exists"}}}}}}}
	}
	if pick(3) {
		pod["imagePullSecrets"] = L{M{"name": "s" + strconv.Itoa(r.Intn(2))}}
	}
	spec["template"] = M{"spec": pod}
	return M{"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
}
func b(v interface{}) []byte {
	x, e := json.Marshal(v)
	if e != nil {
		panic(e)
	}
	return x
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	sch, err := strategicpatch.NewPatchMetaFromStruct(batchv1.Job{})
	if err != nil {
		panic(err)
	}
	t := schema.Parser().Type("io.k8s.api.batch.v1.Job")
	for i := 0; i < n; i++ {
		orig, cur, mod := job(), job(), job()
		out := M{"cur": cur, "mod": mod}
		patch, err := strategicpatch.CreateThreeWayMergePatch(b(orig), b(mod), b(cur), sch, true)
		if err == nil {
			res, err := strategicpatch.StrategicMergePatch(b(cur), patch, batchv1.Job{})
			if err == nil {
				out["patch"] = json.RawMessage(patch)
				out["smp"] = json.RawMessage(res)
			} else {
				fmt.Fprintln(os.Stderr, "apply:", err)
			}
		}
		tv, err := t.FromUnstructured(map[string]interface{}(mod))
		if err != nil {
			fmt.Fprintln(os.Stderr, "typed:", err)
			continue
		}
		set, err := tv.ToFieldSet()
		if err != nil {
			panic(err)
		}
		js, err := set.ToJSON()
		if err != nil {
			panic(err)
		}
		out["set"] = json.RawMessage(js)
		lv, err := t.FromUnstructured(map[string]interface{}(cur))
		if err != nil {
			fmt.Fprintln(os.Stderr, "typed:", err)
			continue
		}
		mg, err := lv.Merge(tv)
		if err != nil {
			fmt.Fprintln(os.Stderr, "merge:", err)
			continue
		}
		out["merged"] = mg.AsValue().Unstructured()
		cmp, err := lv.Compare(mg)
		if err != nil {
			panic(err)
		}
		ch := cmp.Added.Union(cmp.Modified)
		js, _ = ch.ToJSON()
		out["changed"] = json.RawMessage(js)
		fmt.Println(string(b(out)))
	}
	_ = typed.AllowDuplicates
}
