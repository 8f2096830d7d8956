# SPDX-License-Identifier: Apache-2.0
"""What bad input gets: a clear error, and nothing lost. Every assertion looks at the words that a person reads."""
import base64
import json
import os
import pathlib
import resource
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading

import kubernetes
import pytest
import yaml
from kubernetes.client.rest import ApiException

from conftest import BUILD, LIMIT, PATIENT, Door, Process, Site, api_of, condition, eventually, job, run, small_spec

SPILLWAY = BUILD / "spillway"
JOBS = "/apis/batch/v1/namespaces/default/jobs"


def spillway(*argv, kubeconfig=None):
    return run(SPILLWAY, *argv, *(["--kubeconfig", kubeconfig] if kubeconfig else []), check=False)


def batch(kubeconfig):
    return kubernetes.client.BatchV1Api(api_of(kubeconfig))


def custom(kubeconfig):
    return kubernetes.client.CustomObjectsApi(api_of(kubeconfig))


def is_complete(kubeconfig, name, namespace="default"):
    return condition(batch(kubeconfig).read_namespaced_job(name, namespace).to_dict(), "Complete")


def runs_to_the_end(kubeconfig, name):
    """The gateway still does its work: a small job goes through it."""
    batch(kubeconfig).create_namespaced_job("default", job(name, "1s"))
    eventually(lambda: is_complete(kubeconfig, name), f"{name} completes")


def events_of(kubeconfig, name):
    core = kubernetes.client.CoreV1Api(api_of(kubeconfig))
    return [(e.reason, e.message) for e in core.list_namespaced_event("default", field_selector=f"involvedObject.name={name}").items]


# ---- the configuration file --------------------------------------------------------------------------------

CONFIGS = {
    "broken YAML": ("data_dir: [a\nlisten: b\n", ["c.yaml:2:7", "flow sequence"]),
    "a tab": ("log:\n\tlevel: info\n", ["c.yaml:2:1"]),
    "a setting that does not exist": ("dispatch:\n  resinc: 5s\n", ["c.yaml:2:3", 'there is no setting "dispatch.resinc"', 'did you mean "dispatch.resync"?']),
    "a group that does not exist": ("data_dir: /x\nbrust:\n  stockout: 5m\n", ["c.yaml:2:1", '"brust"', "did you mean"]),
    "a word for a number": ("policy: {instructions: many}\n", ["c.yaml:1:10", 'policy.instructions: found "many"', "a whole number from 1000 to 1000000000"]),
    "a duration without unit": ("burst: {idle_release: 5}\n", ["c.yaml:1:9", "burst.idle_release: found 5, expected a duration like 90s, 10m or 2h"]),
    "a negative limit of money": ("burst: {max_price_per_hour: -1}\n", ["c.yaml:1:9", "burst.max_price_per_hour: found -1, expected USD per hour from 0"]),
    "a choice that does not exist": ("log: {level: dbug}\n", ["c.yaml:1:7", 'found "dbug"', "did you mean debug?"]),
    "a setting twice": ("listen: 127.0.0.1:0\nlisten: 127.0.0.1:1\n", ["c.yaml:2:1", "listen"]),
    "two clusters with one name": ("clusters:\n- {name: a, kubeconfig: k}\n- {name: a, kubeconfig: k}\n", ["c.yaml:3:3", 'a second cluster named "a"', "c.yaml:2:3"]),
    "an unknown provider": ("clusters:\n- {name: a, provider: gkee, kubeconfig: k}\n", ["c.yaml:2:3", 'there is no provider "gkee"']),
    "an unknown setting of a cluster": ("clusters:\n- {name: a, kubconfig: k}\n", ["c.yaml:2:13", 'no setting "kubconfig", did you mean "kubeconfig"?']),
    "a cluster without a kubeconfig": ("clusters:\n- {name: a}\n", ["c.yaml:2:3", "kubeconfig is missing"]),
    "a manifest that is not there": ("bootstrap: [nowhere.yaml]\n", ["c.yaml:1:1", "nowhere.yaml", "No such file"]),
    "two documents": ("data_dir: /x\n---\ndata_dir: /y\n", ["c.yaml", "found 2 YAML documents, expected one"]),
    "a list": ("- data_dir\n", ["c.yaml:1:1", "expected a map of settings"]),
    "bytes that are not UTF-8": (b"data_dir: \xff\xfe\n", ["c.yaml:1:", "UTF-8"]),
}


@pytest.mark.parametrize("what", CONFIGS)
def test_a_wrong_configuration_is_refused_by_check_and_by_serve(tmp_path, what):
    text, says = CONFIGS[what]
    file = tmp_path / "c.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for argv in (("config", "check", file), ("serve", "--config", file)):
        refused = spillway(*argv)
        assert refused.returncode == 1 and refused.stdout == "", refused
        for words in says:
            assert words in refused.stderr, refused.stderr


def test_check_also_reads_the_files_that_the_configuration_names(tmp_path):
    (tmp_path / "c.yaml").write_text("policy: {file: %s}\n" % (tmp_path / "p.lua"))
    (tmp_path / "p.lua").write_text("function place(w, c, ctx)\n  return {{\nend\n")
    refused = spillway("config", "check", tmp_path / "c.yaml")
    assert refused.returncode == 1 and "p.lua:3:" in refused.stderr, refused.stderr
    (tmp_path / "p.lua").write_text("function plaice() end\n")
    refused = spillway("config", "check", tmp_path / "c.yaml")
    assert refused.returncode == 1 and "place" in refused.stderr, refused.stderr
    (tmp_path / "c.yaml").write_text("clusters:\n- {name: a, kubeconfig: k.yaml}\n")
    refused = spillway("config", "check", tmp_path / "c.yaml")
    assert refused.returncode == 1 and "c.yaml:2:3: cluster a" in refused.stderr and "k.yaml" in refused.stderr, refused.stderr


def test_a_file_that_is_not_there_is_named():
    refused = spillway("serve", "--config", "/nowhere/spillway.yaml")
    assert refused.returncode == 1 and "/nowhere/spillway.yaml: cannot open: No such file or directory" in refused.stderr


# ---- a gateway that much is thrown at -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One gateway that must live through all of it."""
    site = Site(tmp_path_factory.mktemp("bad"), small_spec())
    site.start_workers()
    site.write_config()
    gateway = site.start_gateway()
    gateway.admin = site.admin
    yield gateway
    runs_to_the_end(gateway.admin, "after-all")
    codes = site.stop()
    assert codes == [0, 0], gateway.text()[-4000:]


@pytest.fixture
def workers(tmp_path):
    """Simulated workers of one test; they outlive its gateways."""
    site = Site(tmp_path, small_spec())
    site.start_workers()
    yield site
    site.sim.stop()


@pytest.fixture
def gateway_of(workers):
    """Gateways over the workers, each with a directory of its own; stopped at the end of the test."""
    started = []

    def start(name, argv=(), **settings):
        workers.write_config(name, **settings)
        g = Process(workers.dir / f"{name}.log", [*argv, SPILLWAY, "serve", "--config", workers.config])
        g.admin, g.data, g.config = workers.admin, workers.data, workers.config
        started.append(g)
        g.wait_for("serving")
        return g

    yield start
    for g in started:
        g.stop()


@pytest.fixture
def door(shared):
    return Door(shared.admin)


def labelled(n):
    j = job("labels")
    j["metadata"]["labels"].update({f"k{i}": "v" for i in range(n)})
    return j


def quantity(resource, value):
    j = job("quantity")
    j["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"][resource] = value
    return j


def asking(**annotations):
    return job("asking", annotations={f"spillway.dev/{k.replace('_', '-')}": v for k, v in annotations.items()})


def without_queue():
    j = job("no-queue")
    j["metadata"]["labels"] = {}
    return j


REFUSED = {
    "no queue": (without_queue, 422, ["metadata.labels[kueue.x-k8s.io/queue-name]", "there are: team", "nothing runs outside a queue"]),
    "a GPU model that does not exist": (lambda: asking(gpu="H1000"), 422, ['spillway.dev/gpu', '"H1000"', "H100"]),
    "an empty list of GPU models": (lambda: asking(gpu=" , "), 422, ["spillway.dev/gpu"]),
    "a wish that does not exist": (lambda: asking(gpus="H100"), 422, ["metadata.annotations[spillway.dev/gpus]", 'did you mean "spillway.dev/gpu"?']),
    "data without a region": (lambda: asking(data="s3://b:5Gi"), 422, ["metadata.annotations[spillway.dev/data]", 'there is no "@region"', "s3://bucket@region:500Gi"]),
    "data behind a scheme that nobody reads": (lambda: asking(data="gsx://b@r:5Gi"), 422, ["spillway.dev/data", 'unknown scheme "gsx", did you mean "gs"?']),
    "GPU memory without sense": (lambda: asking(gpu_memory="-4Gi"), 422, ["spillway.dev/gpu-memory", "-4Gi"]),
    "a precision that does not exist": (lambda: asking(precision="fp63"), 422, ["spillway.dev/precision", "fp64"]),
    "a price that is none": (lambda: asking(max_price="cheap"), 422, ["spillway.dev/max-price", "cheap"]),
    "a negative price": (lambda: asking(max_price="-1"), 422, ["spillway.dev/max-price", "-1"]),
    "spot, misspelt": (lambda: asking(spot="alow"), 422, ["spillway.dev/spot", "allow"]),
    "a negative quantity": (lambda: quantity("cpu", "-1"), 422, ["spec.template.spec.containers[0].resources.requests[cpu]", "-1"]),
    "zero of a resource": (lambda: quantity("cpu", "0"), 422, ["spec.template.spec.containers[0].resources.requests[cpu]", "expected more than zero"]),
    "an overflowing quantity": (lambda: quantity("memory", "99999999999Ei"), 400, ["spec.template.spec.containers[0].resources.requests[memory]", "too large"]),
    "a quantity that is none": (lambda: quantity("cpu", "one"), 400, ["one"]),
    "zero GPUs of a model": (lambda: {**asking(gpu="H100"), "spec": quantity("nvidia.com/gpu", "-2")["spec"]}, 422, ["requests[nvidia.com/gpu]", "-2"]),
    "half a GPU": (lambda: quantity("nvidia.com/gpu", "500m"), 422, ["requests[nvidia.com/gpu]"]),
    "a parallelism below zero": (lambda: job("p", parallelism=-1), 422, ["spec.parallelism", "-1"]),
    "a parallelism beyond all integers": (lambda: job("p", parallelism=1 << 40), 400, ["parallelism"]),
    "completions of an Indexed job beyond the limit": (lambda: job("p", completionMode="Indexed", completions=10**6, parallelism=10**6), 422, ["spec.parallelism"]),
    "a label that is none": (lambda: job("labels", annotations={}) | {"metadata": {"name": "labels", "labels": {"a b": "c"}}}, 422, ["metadata.labels", "a b"]),
    "a name that is none": (lambda: job("No Such Name!"), 422, ["metadata.name", "lowercase RFC 1123"]),
    "annotations beyond 256 KiB": (lambda: job("big", annotations={"a": "x" * (300 << 10)}), 422, ["metadata.annotations", "262144"]),
}


@pytest.mark.xdist_group("bad")
@pytest.mark.parametrize("what", REFUSED)
def test_a_job_that_cannot_be_honoured_is_refused_with_its_path(door, what):
    make, code, says = REFUSED[what]
    status, answer = door.call("POST", JOBS, make())
    assert status == code and answer["kind"] == "Status" and answer["status"] == "Failure", answer
    for words in says:
        assert words in answer["message"], answer["message"]
    assert door.call("GET", f"{JOBS}/{make()['metadata']['name'].replace(' ', '%20')}")[0] == 404, "a refused job is not stored"


@pytest.mark.xdist_group("bad")
def test_a_job_for_an_unknown_queue_waits_and_says_so(shared, door):
    made = door.call("POST", JOBS, job("unknown-queue", queue="tame"))
    assert made[0] == 201
    why = eventually(lambda: [r.get("why") for r in json.loads(spillway("queue", "-o", "json", kubeconfig=shared.admin).stdout) if r["job"] == "unknown-queue"], "it is listed")
    assert 'tame' in why[0] and "does not exist" in why[0], why
    assert door.call("DELETE", f"{JOBS}/unknown-queue")[0] == 200


@pytest.mark.xdist_group("bad")
def test_ten_thousand_labels_are_kept_and_the_job_runs(shared):
    batch(shared.admin).create_namespaced_job("default", labelled(10000))
    eventually(lambda: is_complete(shared.admin, "labels"), "it completes")
    assert len(batch(shared.admin).read_namespaced_job("labels", "default").metadata.labels) > 10000
    selected = batch(shared.admin).list_namespaced_job("default", label_selector="k9999=v").items
    assert [j.metadata.name for j in selected] == ["labels"]
    batch(shared.admin).delete_namespaced_job("labels", "default")


def deep(n):
    return b'{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"deep"},"spec":' + b'{"a":' * n + b"1" + b"}" * n + b"}"


BODIES = {
    "nothing": (b"", 400, ["body"]),
    "no JSON": (b"hello", 400, ["1"]),
    "half a JSON object": (b'{"apiVersion":"batch/v1","kind":"Job",', 400, ["end"]),
    "two JSON objects": (b'{"apiVersion":"batch/v1"} {}', 400, []),
    "deep JSON": (deep(100000), 400, ["deep"]),
    "invalid UTF-8": (b'{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"utf","annotations":{"a":"\xff\xfe"}}}', 400, ["UTF-8"]),
    "another kind": (json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}).encode(), 400, ["Pod", "Job"]),
    "a list": (b"[]", 400, []),
    "a name with a NUL": (b'{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"a\\u0000b"}}', 400, ["column 60", "NUL"]),
}


@pytest.mark.xdist_group("bad")
@pytest.mark.parametrize("what", BODIES)
def test_a_body_that_makes_no_sense_is_refused(door, what):
    body, code, says = BODIES[what]
    status, answer = door.call("POST", JOBS, body)
    assert status == code and answer["kind"] == "Status", answer
    for words in says:
        assert words in answer["message"], answer["message"]


@pytest.mark.xdist_group("bad")
def test_an_object_of_more_than_three_mebibytes_is_refused(door):
    big = json.dumps(job("big", pod_annotations={})).encode()
    status, answer = door.call("POST", JOBS, big[:-1] + b',"x":"' + b"x" * (3 << 20) + b'"}')
    assert status == 413 and answer["reason"] == "RequestEntityTooLarge", answer
    assert "3145728" in answer["message"], answer
    status, answer = door.send(door.head("POST", JOBS, "Content-Length: 99999999999999999999"))
    assert status in (400, 413), answer


@pytest.mark.xdist_group("bad")
def test_chunked_bodies_are_read_and_broken_ones_refused(door):
    body = json.dumps(job("chunked", queue="nobody")).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (body[i:i + 7] for i in range(0, len(body), 7)))
    status, made = door.send(door.head("POST", JOBS, "Transfer-Encoding: chunked", "Connection: close"), chunks, b"0\r\n\r\n")
    assert status == 201 and made["metadata"]["name"] == "chunked", made
    assert door.call("DELETE", f"{JOBS}/chunked")[0] == 200
    status, answer = door.send(door.head("POST", JOBS, "Transfer-Encoding: chunked", "Connection: close"), b"zz\r\nhello\r\n0\r\n\r\n")
    assert status in (0, 400), answer
    status, answer = door.send(door.head("POST", JOBS, "Transfer-Encoding: chunked"), *(b"100000\r\n" + b" " * 0x100000 + b"\r\n" for _ in range(4)), b"0\r\n\r\n")
    assert status == 413, answer


@pytest.mark.xdist_group("bad")
def test_a_truncated_body_leaves_nothing_behind(door):
    body = json.dumps(job("truncated", queue="nobody")).encode()
    with door.connect() as s:
        s.sendall(door.head("POST", JOBS, f"Content-Length: {len(body)}") + body[:len(body) // 2])
        s.unwrap()  # a clean end of TLS in the middle of the body
        s.close()
    with door.connect() as s:
        s.sendall(door.head("POST", JOBS, f"Content-Length: {len(body)}") + body[:-1])
    assert door.call("GET", f"{JOBS}/truncated")[0] == 404


@pytest.mark.xdist_group("bad")
def test_plain_http_and_garbage_do_not_hurt(shared, door):
    for bytes_ in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\x16\x03\x01\xff\xff" + b"\0" * 100):
        with socket.create_connection((door.url.hostname, door.url.port), timeout=LIMIT) as s:
            try:
                s.sendall(bytes_)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except OSError:
                pass  # it hung up, which is its right
    for request in (b"hello\r\n\r\n", b"GET /\r\n\r\n", b"GET " + b"/a" * 40000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n"):
        status, _ = door.send(request)
        assert status == 0 or 400 <= status < 500
    assert door.call("GET", "/readyz")[0] == 200


# ---- rights ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def people(shared, tmp_path_factory):
    where = tmp_path_factory.mktemp("people")
    core = kubernetes.client.CoreV1Api(api_of(shared.admin))
    core.create_namespace({"metadata": {"name": "research"}})

    def add(name, *argv):
        made = spillway("user", "add", name, *argv, kubeconfig=shared.admin)
        assert made.returncode == 0, made.stderr
        file = where / f"{name}.kubeconfig"
        file.write_text(made.stdout)
        return file

    return {"alice": add("alice", "--namespaces", "research"), "grafana": add("grafana", "--role", "reader"), "add": add}


@pytest.mark.xdist_group("bad")
def test_a_submitter_is_kept_to_its_namespaces(shared, people):
    alice = Door(people["alice"])
    status, answer = alice.call("POST", JOBS, job("not-here"))
    assert status == 403 and answer["reason"] == "Forbidden", answer
    assert answer["message"] == 'jobs.batch is forbidden: User "alice" cannot create resource "jobs" in API group "batch" in the namespace "default"'
    assert alice.call("GET", JOBS)[0] == 403
    assert alice.call("GET", "/apis/batch/v1/jobs")[0] == 403, "all namespaces are more than its own"
    assert alice.call("DELETE", "/api/v1/namespaces/research")[0] == 403
    status, answer = alice.call("POST", JOBS.replace("default", "research"), job("mine") | {"metadata": {"name": "mine"}})
    assert status == 422 and "there is none" in answer["message"], "research has no queue yet"
    refused = spillway("user", "add", "mallory", "--role", "admin", kubeconfig=people["alice"])
    assert refused.returncode == 1 and 'User "alice" is not an admin' in refused.stderr
    assert [r for r in json.loads(spillway("queue", "-o", "json", kubeconfig=people["alice"]).stdout)] == []
    refused = spillway("explain", "job/after-all", "-n", "default", kubeconfig=people["alice"])
    assert refused.returncode == 1 and "you may not see namespace default" in refused.stderr


@pytest.mark.xdist_group("bad")
def test_a_reader_reads_and_nothing_else(people):
    grafana = Door(people["grafana"])
    assert grafana.call("GET", JOBS)[0] == 200
    for method, path, body in (("POST", JOBS, job("x")), ("DELETE", JOBS, b""), ("GET", "/api/v1/secrets", b"")):
        status, answer = grafana.call(method, path, body)
        assert status == 403 and 'User "grafana" cannot' in answer["message"], answer


@pytest.mark.xdist_group("bad")
def test_a_token_that_was_taken_back_is_refused(shared, people):
    file = people["add"]("bob")
    assert Door(file).call("GET", JOBS)[0] == 200
    again = people["add"]("bob")
    assert Door(again).call("GET", JOBS)[0] == 200
    gone = spillway("user", "remove", "bob", kubeconfig=shared.admin)
    assert gone.returncode == 0 and "user bob removed" in gone.stdout
    status, answer = Door(again).call("GET", JOBS)
    assert status == 401 and answer["reason"] == "Unauthorized"
    told = spillway("queue", kubeconfig=again)
    assert told.returncode == 1 and "HTTP 401 Unauthorized: the server does not accept the token" in told.stderr, told.stderr
    missing = spillway("user", "remove", "bob", kubeconfig=shared.admin)
    assert missing.returncode == 1 and "bob" in missing.stderr
    refused = spillway("user", "add", "eve", "--role", "root", kubeconfig=shared.admin)
    assert refused.returncode == 1 and "admin, submitter or reader" in refused.stderr


# ---- clusters that cannot be reached ------------------------------------------------------------------------


def self_signed(where, begins, ends):
    """A certificate for localhost that is its own CA, valid from begins to ends (YYYYMMDD)."""
    where.mkdir()
    conf = where / "ca.conf"
    conf.write_text(f"""
[req]
distinguished_name = dn
prompt = no
[dn]
CN = localhost
[ca]
default_ca = it
[it]
database = {where}/index
serial = {where}/serial
new_certs_dir = {where}
default_md = sha256
policy = any
x509_extensions = ext
[any]
commonName = supplied
[ext]
basicConstraints = critical, CA:TRUE
subjectAltName = DNS:localhost, IP:127.0.0.1
""")
    (where / "index").write_text("")
    (where / "serial").write_text("01")
    quiet = {"check": True, "capture_output": True}
    subprocess.run(["openssl", "req", "-config", conf, "-newkey", "rsa:2048", "-nodes", "-keyout", where / "key.pem", "-out", where / "req.pem"], **quiet)
    subprocess.run(["openssl", "ca", "-config", conf, "-selfsign", "-batch", "-notext", "-keyfile", where / "key.pem", "-in", where / "req.pem",
                    "-startdate", f"{begins}000000Z", "-enddate", f"{ends}000000Z", "-out", where / "cert.pem"], **quiet)
    return where / "cert.pem", where / "key.pem"


@pytest.fixture
def expired_server(tmp_path):
    """A TLS server whose CA's days are over; gives (port, CA in PEM)."""
    cert, key = self_signed(tmp_path / "ca", "20200101", "20200201")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            try:
                tls.wrap_socket(conn, server_side=True).close()
            except (OSError, ssl.SSLError):
                conn.close()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1], cert.read_bytes()
    listener.close()


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make an expired CA with")
def test_clusters_out_of_reach_say_why_and_the_others_go_on(workers, gateway_of, expired_server, tmp_path):
    good = yaml.safe_load((workers.dir / "sim" / "onprem.kubeconfig").read_text())
    port, ca = expired_server
    clusters = [{"name": "onprem", "provider": "sim", "kubeconfig": str(workers.dir / "sim" / "onprem.kubeconfig")}]

    def add(name, **changes):
        k = json.loads(json.dumps(good))
        for path, value in changes.items():
            part, field = path.split("__")
            k[part + "s"][0][part][field.replace("_", "-")] = value
        (tmp_path / f"{name}.kubeconfig").write_text(yaml.safe_dump(k))
        clusters.append({"name": name, "kubeconfig": str(tmp_path / f"{name}.kubeconfig")})

    add("nowhere", cluster__server="https://127.0.0.1:1")
    add("noname", cluster__server="https://no-such-host.invalid:6443")
    add("expired", cluster__server=f"https://127.0.0.1:{port}", cluster__certificate_authority_data=base64.b64encode(ca).decode())
    add("wrongca", cluster__certificate_authority_data=base64.b64encode(ca).decode())
    add("badtoken", user__token="not-a-token")
    clusters.append({"name": "nofile", "kubeconfig": str(tmp_path / "nofile.kubeconfig")})
    (tmp_path / "broken.kubeconfig").write_text("apiVersion: [v1\n")
    clusters.append({"name": "broken", "kubeconfig": str(tmp_path / "broken.kubeconfig")})
    g = gateway_of("reach", clusters=clusters, dispatch__lost_after="1h")
    says = {
        "nowhere": ["https://127.0.0.1:1/", "Failed to connect"], "noname": ["no-such-host.invalid"], "expired": ["certificate", "has expired"], "wrongca": ["is not signed by the CA that was given"],
        "badtoken": ["HTTP 401 Unauthorized: the server does not accept the token"], "nofile": ["nofile.kubeconfig", "No such file"], "broken": ["broken.kubeconfig:2:1"],
    }

    def rows():
        return {r["name"]: r for r in json.loads(spillway("clusters", "-o", "json", kubeconfig=g.admin).stdout or "[]")}

    def unsaid(now):
        return [(n, w) for n in says for w in says[n] if w not in now.get(n, {}).get("why", "")]

    eventually(lambda: rows().get("onprem", {}).get("state") == "Ready" and not unsaid(rows()), f"every cluster says why; not yet: {unsaid(rows())}")
    assert {r["state"] for n, r in rows().items() if n != "onprem"} == {"NotReady"}
    runs_to_the_end(g.admin, "goes-on")
    table = spillway("clusters", kubeconfig=g.admin).stdout
    assert "NotReady" in table and "expired" in table


# ---- policies -------------------------------------------------------------------------------------------------

GOOD = "function place(w, candidates, ctx)\n  return { { candidates = candidates, patience = 600 }, reason = 'anywhere' }\nend\n"
POLICIES = {
    "throws": ("function place(w, candidates, ctx)\n  local x = w.nothing.here\nend\n", ["policy.lua:2:", "the workload has no field"]),
    "raises an error of its own": ("function place(w)\n  error('not on my watch')\nend\n", ["policy.lua:2:", "not on my watch"]),
    "loops": ("function place()\n  while true do end\nend\n", ["policy.lua:2:", "instructions"]),
    "loops inside pcall": ("function place()\n  while true do\n    pcall(function() while true do end end)\n  end\nend\n", ["policy.lua:3:", "instructions"]),
    "allocates without end": ("function place()\n  local t = {}\n  for i = 1, 1e9 do\n    t[i] = { i }\n  end\nend\n", ["policy.lua:4: needs", "512 KiB", "limit 8Mi"]),
    "returns nonsense": ("function place()\n  return 42\nend\n", ["policy.lua:1: place() returned number, expected a list of steps"]),
    "names a candidate that is none": ("function place()\n  return { { candidates = { { cluster = 'mars' } }, patience = 5 } }\nend\n", ["policy.lua", "candidate"]),
    "a patience that is none": ("function place(w, c)\n  return { { candidates = c, patience = -5 } }\nend\n", ["policy.lua", "patience"]),
    "opens a file": ("function place()\n  io.open('/etc/passwd')\nend\n", ["policy.lua:2:", "io"]),
}


@pytest.mark.parametrize("what", POLICIES)
def test_a_policy_that_fails_is_an_event_on_the_job(workers, gateway_of, tmp_path, what):
    text, says = POLICIES[what]
    file = tmp_path / "policy.lua"
    file.write_text(text)
    name = "policy-" + str(list(POLICIES).index(what))
    g = gateway_of(name, policy__file=str(file))
    batch(g.admin).create_namespaced_job("default", job(name, "1s"))
    told = eventually(lambda: [m for r, m in events_of(g.admin, name) if r == "PolicyFailed"], "an event tells of the policy")
    for words in says:
        assert words in told[0], told
    assert Door(g.admin).call("GET", "/readyz")[0] == 200
    explained = spillway("explain", f"job/{name}", kubeconfig=g.admin)
    assert "policy.lua" in explained.stdout, explained
    assert g.stop() == 0
    file.write_text(GOOD)
    g = gateway_of(name, policy__file=str(file))
    eventually(lambda: is_complete(g.admin, name), "the job runs under the mended policy")


# ---- the store ---------------------------------------------------------------------------------------------------


def test_a_second_gateway_on_the_same_directory_is_refused(gateway_of):
    first = gateway_of("twice")
    second = spillway("serve", "--config", first.config)
    assert second.returncode == 1
    assert f"data directory {first.data} is in use by process {first.p.pid}" in second.stderr, second.stderr
    runs_to_the_end(first.admin, "goes-on")


def test_a_store_of_a_newer_version_is_left_alone(gateway_of):
    g = gateway_of("newer")
    batch(g.admin).create_namespaced_job("default", job("kept", queue="later"))
    assert g.stop() == 0
    store = next(g.data.glob("*.db"))
    with sqlite3.connect(store) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("PRAGMA user_version=99")
    refused = spillway("serve", "--config", g.config)
    assert refused.returncode == 1
    assert "found schema version 99" in refused.stderr and "written by a newer spillway" in refused.stderr, refused.stderr
    with sqlite3.connect(store) as db:
        db.execute(f"PRAGMA user_version={version}")
    g = gateway_of("newer")
    assert batch(g.admin).read_namespaced_job("kept", "default")


def test_a_store_that_is_garbage_is_named(gateway_of):
    g = gateway_of("garbage")
    assert g.stop() == 0
    store = next(g.data.glob("*.db"))
    for side in g.data.glob("*.db-*"):
        side.unlink()
    store.write_bytes(b"this is not a database, " * 1000)
    refused = spillway("serve", "--config", g.config)
    assert refused.returncode == 1 and str(store) in refused.stderr and "not a spillway store, or it is damaged" in refused.stderr


def own_disk(data):
    """argv that runs a program with a small disk of its own mounted at data; None where that is not allowed."""
    data.mkdir(exist_ok=True)
    prefix = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    argv = [*prefix, "sh", "-c", 'mount -t tmpfs -o size=16m,mode=700 tmpfs "$0" && exec "$@"', str(data)]
    return argv if shutil.which("unshare") and subprocess.run([*argv, "true"], capture_output=True).returncode == 0 else None


def test_a_full_disk_refuses_writes_and_nothing_else(workers, gateway_of):
    argv = own_disk(workers.dir / "full")
    if not argv:
        pytest.skip("mounting a small disk is not allowed here")
    g = gateway_of("full", argv=argv)
    inside = pathlib.Path(f"/proc/{g.p.pid}/root{g.data}")
    admin = workers.dir / "full.kubeconfig"
    admin.write_text((inside / "admin.kubeconfig").read_text())
    door = Door(admin)
    assert door.call("POST", JOBS, job("before", queue="later"))[0] == 201
    with open(inside / "filler", "wb") as filler:
        with pytest.raises(OSError):
            while True:
                filler.write(b"x" * 65536)
                filler.flush()
    refused = None
    for i in range(200):  # what is already allocated may still take a few
        refused = door.call("POST", JOBS, job(f"during-{i}", queue="later", annotations={"filler": "x" * 20000}))
        if refused[0] != 201:
            break
    status, answer = refused
    assert status == 507 and "the disk is full" in answer["message"] and "free some space" in answer["message"], refused
    assert door.call("GET", f"{JOBS}/before")[0] == 200, "reads go on"
    assert door.call("GET", f"{JOBS}/during-{i}")[0] == 404, "what was refused is not there"
    assert door.call("GET", "/readyz")[0] in (200, 500)
    (inside / "filler").unlink()
    eventually(lambda: door.call("POST", JOBS, job("after", "1s"))[0] in (201, 409), "writes work again, without a restart")
    eventually(lambda: is_complete(admin, "after"), "and so does everything else")


def test_a_file_size_limit_is_a_full_disk_too(gateway_of):
    g = gateway_of("fsize")
    door = Door(g.admin)
    assert door.call("POST", JOBS, job("before", queue="later"))[0] == 201
    size = max(f.stat().st_size for f in g.data.iterdir())
    resource.prlimit(g.p.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    for i in range(200):
        status, answer = door.call("POST", JOBS, job(f"during-{i}", queue="later", annotations={"filler": "x" * 20000}))
        if status != 201:
            break
    assert status == 507, answer
    assert door.call("GET", JOBS)[0] == 200
    resource.prlimit(g.p.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    eventually(lambda: door.call("POST", JOBS, job("after", "1s"))[0] in (201, 409), "writes work again, without a restart")
    eventually(lambda: is_complete(g.admin, "after"), "and so does everything else")


def copies_on(workers, cluster):
    api = batch(workers.dir / "sim" / f"{cluster}.kubeconfig")
    return {j.metadata.name: j.metadata.uid for j in api.list_namespaced_job("default").items}


def epoch_raised(workers, above):
    """Waits until the claims on all workers are newer than `above`: from then on an older store is noticed."""
    def epochs():
        sims = [workers.dir / "sim" / f"{c['name']}.kubeconfig" for c in workers.spec["clusters"]]
        return [int(kubernetes.client.CoreV1Api(api_of(s)).read_namespaced_config_map("spillway-claim", "spillway-system").data["epoch"]) for s in sims]

    return eventually(lambda: min(epochs()) > max(above, 1) and min(epochs()), "the claims are renewed")


def test_a_store_restored_from_yesterday_deletes_nothing(workers, gateway_of):
    g = gateway_of("restored")
    batch(g.admin).create_namespaced_job("default", job("old-runs", "100000s"))
    eventually(lambda: batch(g.admin).read_namespaced_job("old-runs", "default").status.active, "a job runs before the copy is made")
    seen = epoch_raised(workers, 0)
    assert g.stop() == 0
    shutil.copytree(g.data, workers.dir / "yesterday")

    g = gateway_of("restored")
    epoch_raised(workers, seen)
    batch(g.admin).create_namespaced_job("default", job("new-runs", "100000s"))
    eventually(lambda: batch(g.admin).read_namespaced_job("new-runs", "default").status.active, "a job runs after the copy was made")
    assert g.stop() == 0
    before = copies_on(workers, "onprem")
    assert {"old-runs", "new-runs"} <= set(before)

    shutil.rmtree(g.data)
    shutil.copytree(workers.dir / "yesterday", g.data)
    g = gateway_of("restored")
    g.wait_for("the store is older than the clusters: nothing is placed or deleted until an operator accepts it")
    g.wait_for("copies_known=1 copies_unknown=1")

    def why_onprem():
        return {r["name"]: r["why"] for r in json.loads(spillway("clusters", "-o", "json", kubeconfig=g.admin).stdout)}["onprem"]

    eventually(lambda: "is older than what the cluster has seen" in why_onprem(), "the cluster says that the store is older")
    batch(g.admin).create_namespaced_job("default", job("held", "1s"))
    eventually(lambda: any("older" in m for _, m in events_of(g.admin, "held")), "a new job says why it is held")
    after = copies_on(workers, "onprem")
    assert {n: after.get(n) for n in ("old-runs", "new-runs")} == {n: before[n] for n in ("old-runs", "new-runs")}, "nothing was deleted"
    assert "held" not in after

    told = spillway("gc", kubeconfig=g.admin)
    assert "is older than what the cluster has seen" in told.stdout
    accepted = spillway("gc", "--accept-store", kubeconfig=g.admin)
    assert accepted.returncode == 0, accepted.stderr
    eventually(lambda: is_complete(g.admin, "held"), "an operator accepted the store: work goes on")
    assert copies_on(workers, "onprem")["new-runs"] == before["new-runs"], "what the store does not know is still left alone"
    nothing = spillway("gc", "--accept-store", kubeconfig=g.admin)
    assert nothing.returncode == 1 and "there is nothing to accept" in nothing.stderr
