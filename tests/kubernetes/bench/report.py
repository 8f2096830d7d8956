# SPDX-License-Identifier: Apache-2.0
"""What was measured, as one document, and as a table for people: figures, their ratios, goals met or missed."""
import os
import platform
import re

MANAGER, WORKERS, CPU_MS, RSS_MIB = 3, 2, 2.0, 30
RATES = [("null", 0.85, "of the null dispatcher's rate"), ("mk-raised", 2.5, "times MultiKueue with raised limits"), ("mk-shipped", 7.0, "times MultiKueue as shipped")]


def machine():
    names = re.findall(r"^model name\s*: (.*)", open("/proc/cpuinfo").read(), re.M)
    memory = re.search(r"MemTotal: *(\d+)", open("/proc/meminfo").read())
    return {"processors": os.cpu_count(), "model": names[0] if names else platform.machine(), "memory_mib": int(memory[1]) // 1024,
            "system": f"{platform.system()} {platform.release()}", "load_before": os.getloadavg()[0]}


def by_agent(result, clusters):
    """Requests per job by user agent, on these clusters together; the loader's own left out."""
    agents = {a for c, a in result.requests if c in clusters and not a.startswith("testbed")}
    return {a: round(sum(v for (c, b), v in result.requests.items() if a == b and c in clusters), 2) for a in sorted(agents)}


def contender(c, burst, calm):
    workers = {k[0] for k in burst.requests} - {"manager"}
    return {"name": c.name, "title": c.title, "jobs": burst.jobs, "placed": burst.placed, "seconds": burst.seconds, "jobs_per_s": burst.rate,
            "burst_s": {"p50": burst.quantile(.5), "p99": burst.quantile(.99)},
            "calm_ms": {"p50": calm.quantile(.5) * 1000, "p99": calm.quantile(.99) * 1000, "jobs": calm.jobs},
            "to_start": burst.to_start, "requests": {"manager": by_agent(burst, {"manager"}), "workers": by_agent(burst, workers)},
            "cpu_ms": burst.cpu_ms, "rss_mib": burst.rss_mib}


def goal(what, found, wanted, at_least):
    return {"goal": what, "found": found, "wanted": wanted, "met": found >= wanted if at_least else found <= wanted}


def goals(rows):
    """Of spillway with Kueue workers, beside what was measured with it."""
    by_name = {r["name"]: r for r in rows}
    ours = by_name.get("spillway")
    if not ours:
        return []
    found = [goal(f"jobs/s, {words}", ours["jobs_per_s"] / by_name[n]["jobs_per_s"], wanted, True)
             for n, wanted, words in RATES if n in by_name and by_name[n]["jobs_per_s"]]
    if ours["to_start"]:
        found += [goal("requests per job to the manager, to its start", ours["to_start"].get("manager", 0.0), MANAGER, False),
                  goal("requests per job to workers, to its start", ours["to_start"].get("workers", 0.0), WORKERS, False)]
    return found + [goal("gateway: ms of processor time per job", ours["cpu_ms"]["dispatcher"], CPU_MS, False),
                    goal(f"gateway: MiB resident with {ours['placed']} jobs", ours["rss_mib"]["dispatcher"], RSS_MIB, False)]


def document(results, where, n_workers, seconds):
    rows = [contender(*r) for r in results]
    return {"machine": where, "workers": n_workers, "seconds": round(seconds), "contenders": rows, "goals": goals(rows)}


def show_rates(rows):
    best = next((r["jobs_per_s"] for r in rows if r["name"] == "null"), None)
    print(f"\n  {'':34s} {'jobs/s':>7s} {'of null':>7s}  {'burst of':>8s} {'p50 s':>7s} {'p99 s':>7s}  {'calm p50':>8s} {'p99 ms':>7s}")
    for r in rows:
        share = f"{r['jobs_per_s'] / best * 100:5.0f} %" if best else ""
        missing = f"  ({r['placed']} placed at the limit)" if r["placed"] < r["jobs"] else ""
        print(f"  {r['title']:34s} {r['jobs_per_s']:7.2f} {share:>7s}  {r['jobs']:8d} {r['burst_s']['p50']:7.1f} {r['burst_s']['p99']:7.1f}  "
              f"{r['calm_ms']['p50']:8.0f} {r['calm_ms']['p99']:7.0f}{missing}")


def show_costs(rows):
    def words(d):
        return ", ".join(f"{a} {v:.1f}" for a, v in sorted(d.items(), key=lambda kv: -kv[1]) if v >= 0.05)

    print("\n  requests per job during the burst, by user agent; ms of processor time per job and MiB resident")
    for r in rows:
        print(f"  {r['title']}\n    manager: {words(r['requests']['manager'])}\n    workers: {words(r['requests']['workers'])}")
        if r["to_start"]:
            print(f"    its own until the Job is created: {words(r['to_start'])}")
        whole = sum(r["cpu_ms"].values())
        shown = [p for p in ("dispatcher", "manager kueue", "manager kube-apiserver") if p in r["cpu_ms"]]
        print("    " + "; ".join(f"{p} {r['cpu_ms'][p]:.1f} ms, {r['rss_mib'][p]:.0f} MiB" for p in shown) + f"; all servers together {whole:.0f} ms")


def show(doc):
    m = doc["machine"]
    print(f"\n  {m['processors']} x {m['model']}, {m['memory_mib']} MiB, {m['system']}, load {m['load_before']:.1f} before; "
          f"1 manager, {doc['workers']} workers; {doc['seconds']} s")
    show_rates(doc["contenders"])
    show_costs(doc["contenders"])
    print()
    for g in doc["goals"]:
        print(f"  {'met' if g['met'] else 'MISSED':6s}  {g['goal']:52s} {g['found']:8.2f}   goal {'>=' if g['goal'].startswith('jobs/s') else '<='} {g['wanted']:g}")
