# SPDX-License-Identifier: Apache-2.0
"""spillway catalog: the tables as people and scripts read them, with and without a site's own rows. No gateway."""
import datetime
import json

import pytest

from conftest import BUILD, run

SPILLWAY = BUILD / "spillway"
TODAY = datetime.date.today().isoformat()
OLD = "2020-01-01"


def catalog(*argv):
    return run(SPILLWAY, "catalog", *argv, check=False)


def rows(*argv):
    done = catalog(*argv, "-o", "json")
    return json.loads(done.stdout)


@pytest.fixture
def site(tmp_path):
    def write(text, **files):
        for name, content in files.items():
            (tmp_path / f"{name}.csv").write_text(content)
        file = tmp_path / "spillway.yaml"
        file.write_text(text)
        return file

    return write


def test_gpus_are_a_table_and_json():
    table = catalog()
    assert table.returncode == 0 and table.stderr == ""
    lines = table.stdout.splitlines()
    assert lines[0].split() == ["MODEL", "RESOURCE", "MEMORY", "GB/S", "FP64", "FP32", "TF32", "BF16", "FP16", "INT8", "FP8", "MIG"]
    assert lines[1].split()[:4] == ["K80", "nvidia.com/gpu", "12Gi", "240"]
    assert table.stdout == catalog("gpus").stdout
    gpus = {g["model"]: g for g in rows()}
    assert {"P4", "P100", "V100", "T4", "L4", "A100-40GB", "H100", "H200", "B200", "MI300X", "TPU-v3", "TPU-v4", "TPU-v5e", "TPU-v5p", "TPU-v6e"} <= set(gpus)
    assert gpus["T4"]["tflops"]["fp64"] is None and gpus["H100"]["tflops"]["fp8"] == 1979, "unknown is null, never 0"
    assert gpus["TPU-v6e"]["resource"] == "google.com/tpu" and gpus["MI300X"]["resource"] == "amd.com/gpu"
    assert all(g["source"] and g["date"] for g in gpus.values())
    assert [g["model"] for g in rows("--gpu", "a100")] == ["A100-40GB", "A100-80GB"], "a family"
    assert rows("--gpu", "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb")[0]["resource"] == "nvidia.com/mig-1g.10gb", "a slice"


def test_machines_are_chosen_by_gpu_and_region():
    some = rows("machines", "--gpu", "H100", "--region", "europe-west4")
    assert {m["type"] for m in some} >= {"a3-highgpu-8g", "a3-megagpu-8g"}
    assert all(m["region"] == "europe-west4" and m["model"] == "H100" and m["priceHour"] > m["spotHour"] > 0 for m in some)
    everything = rows("machines")
    assert all(m["priceHour"] is None or m["priceHour"] > 0 for m in everything)
    assert any(m["priceHour"] is None for m in everything) and all(m["source"] for m in everything)
    shown = catalog("machines", "--region", "westeurope").stdout
    assert "Standard_NC24ads_A100_v4" in shown and "$4.78" in shown and "a3-highgpu" not in shown
    assert catalog("machines", "--region", "atlantis").stdout == "No machine type of the catalog has that.\n"


def test_a_sites_rows_are_on_top(site):
    file = site("catalog:\n  files: [prices.csv]\n  gpus:\n"
                f"    - {{model: H20, family: H20, vendor: nvidia, resource: nvidia.com/gpu, memory_gib: 96, bf16: 148, date: {TODAY}}}\n",
                prices=f"provider,type,region,price_hour,date\ngcp,a3-highgpu-8g,europe-west4,77.5,{TODAY}\n")
    assert [g["memoryBytes"] for g in rows("--gpu", "H20", "--config", file)] == [96 << 30]
    machine = [m for m in rows("machines", "--gpu", "H100", "--region", "europe-west4", "-c", file) if m["type"] == "a3-highgpu-8g"]
    assert [(m["priceHour"], m["spotHour"], m["gpus"], m["stale"]) for m in machine] == [(77.5, None, 8, False)]
    assert catalog("check", "--config", file).returncode == 0


WRONG = {
    "another verb": (["machine"], 2, 'found "machine", expected gpus, machines, egress or check; did you mean machines?'),
    "a GPU that nobody knows": (["machines", "--gpu", "H10O"], 2, '--gpu: the catalog has no "H10O", did you mean H100?'),
    "an option of another verb": (["egress", "--gpu", "H100"], 2, "egress takes no --gpu"),
    "a region for GPUs": (["--region", "x"], 2, "gpus takes no --region"),
    "a file that is not there": (["check", "--config", "/nowhere.yaml"], 1, "/nowhere.yaml: cannot open"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_use_is_explained(what):
    argv, code, says = WRONG[what]
    wrong = catalog(*argv)
    assert wrong.returncode == code and wrong.stdout == "" and says in wrong.stderr, wrong


BROKEN = {
    "a row with a wrong column": ("catalog:\n  gpus:\n    - {modle: X}\n", 'spillway.yaml:3:7: the table gpus has no column "modle", did you mean "model"?'),
    "a price without a date": ("catalog:\n  prices: [{cluster: a, pool: b, gpu_hour: 1}]\n", 'date: found "", expected a day such as 2026-11-23'),
    "a file without a table": ("catalog: {files: [a.csv]}\n", "a.csv:1: expected the columns of a table"),
    "a machine of no GPU": (f"catalog:\n  machines: [{{provider: gcp, type: n, gpus: 1, model: H1000, date: {TODAY}}}]\n", 'model "H1000" is not in the table of GPUs'),
    "a section of another name": ("catalog: {gpu: []}\n", 'catalog has no "gpu", did you mean "gpus"?'),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_site_is_refused_with_file_and_line(site, what):
    text, says = BROKEN[what]
    file = site(text, a="x,y\n1,2\n")
    for command in (["catalog", "check", "--config", file], ["config", "check", file], ["serve", "--config", file]):
        wrong = run(SPILLWAY, *command, check=False)
        assert wrong.returncode == 1 and says in wrong.stderr, (command, wrong)


def test_check_finds_what_is_stale_missing_double_or_unknown(site, tmp_path):
    (tmp_path / "k").write_text("")
    file = site(f"""
clusters:
- {{name: onprem, kubeconfig: k, options: {{prices: {{h1000: 1, v100: 2}}}}}}
- {{name: quiet, kubeconfig: k}}
- {{name: model, kubeconfig: k, options: {{price_hour: 1}}}}
catalog:
  gpus:
  - {{model: X1, family: X1, vendor: v, resource: nvidia.com/gpu, memory_gib: 8, fp32: 1, aliases: h100-80gb, date: {TODAY}}}
  machines:
  - {{provider: gcp, type: a3-highgpu-8g, region: europe-west4, price_hour: 70, spot_hour: 80, date: {OLD}}}
  - {{provider: gcp, type: a2-highgpu-1g, region: mars-west1, model: A100-40GB, gpus: 2, cpu: 12, memory_gib: 85, price_hour: 1, date: {TODAY}}}
  prices:
  - {{cluster: elsewhere, pool: h100, gpu_hour: 1, date: {TODAY}}}
  - {{cluster: onprem, pool: t4, gpu_hour: 1, date: 2999-01-01}}
""")
    done = catalog("check", "--config", file, "-o", "json")
    assert done.returncode == 1
    said = {(f["level"], f["text"]) for f in json.loads(done.stdout)}

    def has(level, *parts):
        assert any(lv == level and all(p in text for p in parts) for lv, text in said), (parts, said)

    has("problem", "a3-highgpu-8g in europe-west4: the price is", "days old and counts as unknown (burst.price_max_age is 180 days)")
    has("problem", "spot is dearer than on demand")
    has("problem", "a2-highgpu-1g holds something else than")
    has("problem", 'alias "h100-80gb" of', "is also a name of")
    has("problem", "cluster onprem: options.prices.h1000: no model of the catalog makes a pool of this name")
    has("problem", 'there is no cluster "elsewhere"')
    has("problem", "pool t4 of cluster onprem: its date 2999-01-01 is in the future")
    has("note", "cluster quiet: nobody says what its machines cost")
    assert not any("v100" in text or "cluster model" in text for _, text in said)
    table = catalog("check", "--config", file)
    assert table.returncode == 1 and table.stdout.splitlines()[0].split() == ["LEVEL", "WHERE", "WHAT"]
