# SPDX-License-Identifier: Apache-2.0
"""Clusters come and go while a gateway runs: a file in clusters_dir is one; a bad one is refused; one with jobs stays until they are over."""
import json
import shutil
import signal

import kubernetes

from conftest import BUILD, Door, api_of, eventually, job, run


def metric(site, name):
    text = Door(site.admin).call("GET", "/metrics")[1]
    return {line.split(" ")[0]: float(line.split(" ")[1]) for line in text.splitlines() if line.startswith(name)}


def spillway(site, *argv, **more):
    return run(BUILD / "spillway", *argv, "--kubeconfig", site.admin, **more)


def clusters(site):
    return {c["name"]: c for c in json.loads(spillway(site, "cluster", "list", "-o", "json"))}


def put(folder, site, name, entry="provider: sim\n"):
    """As `cluster add` does it: the kubeconfig first."""
    folder.mkdir(exist_ok=True)
    shutil.copy(site.dir / "sim" / f"{name}.kubeconfig", folder / f"{name}.kubeconfig")
    (folder / f"{name}.yaml").write_text(entry)


def batch(site):
    return kubernetes.client.BatchV1Api(api_of(site.admin))


def done(site, name):
    return batch(site).read_namespaced_job(name, "default").status.succeeded


def test_clusters_join_and_leave_a_running_gateway(site, tmp_path):
    folder = tmp_path / "clusters.d"
    s = site(clusters=[], clusters_dir=str(folder))
    gateway = s.start_gateway()  # the folder is not there yet
    assert clusters(s) == {}
    batch(s).create_namespaced_job("default", job("waits"))

    put(folder, s, "onprem")
    eventually(lambda: clusters(s).get("onprem", {}).get("ready"), "onprem joined")
    eventually(lambda: done(s, "waits"), "the waiting job ran there")
    put(folder, s, "gke", "provider: sim\nbrust: true\n")
    gateway.wait_for("a cluster's file is refused")
    assert "gke.yaml:2:1" in gateway.text() and 'did you mean' in gateway.text()
    assert set(clusters(s)) == {"onprem"}
    put(folder, s, "gke", "provider: sim\nburst: true\n")
    eventually(lambda: clusters(s).get("gke", {}).get("ready"), "gke joined")
    assert metric(s, "spillway_cluster_ready") == {'spillway_cluster_ready{cluster="gke"}': 1, 'spillway_cluster_ready{cluster="onprem"}': 1}

    spillway(s, "cluster", "remove", "gke", "--dir", folder)
    eventually(lambda: set(clusters(s)) == {"onprem"}, "gke left")
    assert metric(s, "spillway_cluster_ready") == {'spillway_cluster_ready{cluster="onprem"}': 1}
    put(folder, s, "gke")
    eventually(lambda: clusters(s).get("gke", {}).get("ready"), "gke is there again, as another cluster")
    assert clusters(s)["gke"]["operator"] == "open"
    counted = metric(s, "spillway_cluster_changes_total")
    assert counted == {'spillway_cluster_changes_total{result="joined"}': 3, 'spillway_cluster_changes_total{result="refused"}': 1,
                       'spillway_cluster_changes_total{result="left"}': 1}
    assert gateway.p.poll() is None


def test_a_cluster_with_jobs_stays_until_they_are_over_and_a_bad_file_changes_nothing(site, tmp_path):
    folder = tmp_path / "clusters.d"
    s = site(clusters=[], clusters_dir=str(folder))
    for name in ("onprem", "gke"):
        put(folder, s, name)
    gateway = s.start_gateway()
    eventually(lambda: all(c["ready"] for c in clusters(s).values()) and len(clusters(s)) == 2, "both are ready")
    batch(s).create_namespaced_job("default", job("runs", run_seconds="1000000s"))
    eventually(lambda: clusters(s)["onprem"]["copies"] == 1, "it runs on onprem")

    (folder / "onprem.yaml").write_text("provider: [\n")
    gateway.wait_for("a cluster's file is refused")
    assert clusters(s)["onprem"]["ready"], "what it said before holds"
    (folder / "onprem.yaml").write_text("provider: sim\nregion: cern\n")
    gateway.wait_for("it is taken over when nothing of ours is there")
    assert clusters(s)["onprem"]["operator"] == "open"
    (folder / "onprem.yaml").unlink()
    gateway.wait_for("takes no new jobs")
    eventually(lambda: clusters(s)["onprem"]["operator"] == "drained", "it takes nothing")
    batch(s).delete_namespaced_job("runs", "default", propagation_policy="Background")
    eventually(lambda: set(clusters(s)) == {"gke"}, "it left")

    put(folder, s, "onprem", "provider: sim\nregion: cern\n")
    eventually(lambda: clusters(s).get("onprem", {}).get("region") == "cern", "it is back with what the file says now")
    (folder / "onprem.yaml").write_text("provider: sim\nregion: site-2\n")
    eventually(lambda: clusters(s)["onprem"]["region"] == "site-2", "nothing was there: taken over at once")
    (folder / "also.yaml").write_text("name: gke\nprovider: sim\n")
    gateway.wait_for('a second cluster named')
    gateway.p.send_signal(signal.SIGHUP)  # says all of it again
    eventually(lambda: gateway.text().count("a second cluster named") >= 2, "read again")
    assert gateway.p.poll() is None
