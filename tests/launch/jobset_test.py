"""jobset.yaml: the published schema, its table of machines, its command with stand-ins."""

import gzip
import json
import math
import re

import jsonschema
import pytest
import yaml
from references.cloud import Stubs
from references.command import ROOT

from jaxbench import tables
from jaxbench.distributed import hosts

TEXT = (ROOT / "launch/jobset.yaml").read_text()
ROW = re.compile(r"^#   (v\w+) +([\w-]+) +([\dx]+) +(\d+) +(\d+)$", re.MULTILINE)


def _closed(schema):
  """As the API server's strict mode takes it: without fields that it does not name."""
  if isinstance(schema, list):
    return [_closed(one) for one in schema]
  if not isinstance(schema, dict):
    return schema
  closed = {key: _closed(value) for key, value in schema.items()}
  if isinstance(schema.get("properties"), dict):
    closed.setdefault("additionalProperties", False)
  return closed


PUBLISHED = json.loads(gzip.decompress(tables.path("jobset_v1alpha2_schema.json.gz").read_bytes()))
SCHEMA = jsonschema.Draft202012Validator(_closed(PUBLISHED))


def _job(manifest):
  (replicated,) = manifest["spec"]["replicatedJobs"]
  return replicated["template"]["spec"]


def _container(manifest):
  (container,) = _job(manifest)["template"]["spec"]["containers"]
  return container


def _environment(manifest):
  return {one["name"]: one.get("value") for one in _container(manifest)["env"]}


def _check(manifest):
  """What the schema says, and what Kubernetes says besides."""
  SCHEMA.validate(manifest)
  job = _job(manifest)
  assert job["completionMode"] == "Indexed"
  assert job["parallelism"] == job["completions"]
  assert _environment(manifest)["JOB_COMPLETIONS"] == str(job["completions"])
  # backoffLimitPerIndex and podFailurePolicy are refused otherwise.
  assert job["template"]["spec"]["restartPolicy"] == "Never"
  assert job["podReplacementPolicy"] == "Failed"
  (rule,) = [one for one in job["podFailurePolicy"]["rules"] if "onExitCodes" in one]
  assert rule["onExitCodes"]["containerName"] == _container(manifest)["name"]
  assert manifest["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]


def test_it_is_a_jobset():
  _check(yaml.safe_load(TEXT))


@pytest.mark.parametrize("place", ["spec", "job", "pod"])
def test_a_field_that_there_is_not_would_be_seen(place):
  manifest = yaml.safe_load(TEXT)
  job = _job(manifest)
  {"spec": manifest["spec"], "job": job, "pod": job["template"]["spec"]}[place]["retries"] = 1
  with pytest.raises(jsonschema.ValidationError, match="retries"):
    SCHEMA.validate(manifest)


def test_the_table_has_all_kinds_and_what_is_set_is_one_of_its_rows():
  rows = ROW.findall(TEXT)
  assert {row[0] for row in rows} == {"v5e", "v5p", "v6e", "v7x"}
  job = _job(yaml.safe_load(TEXT))
  limits = _container(yaml.safe_load(TEXT))["resources"]["limits"]
  chosen = [*job["template"]["spec"]["nodeSelector"].values(), job["completions"], *limits.values()]
  assert tuple(map(str, chosen)) in {row[1:] for row in rows}


def _with(count, selector, limits):
  manifest = yaml.safe_load(TEXT)
  job, container = _job(manifest), _container(manifest)
  job["completions"] = job["parallelism"] = count
  job["template"]["spec"]["nodeSelector"] = selector
  container["resources"]["limits"] = limits
  for one in container["env"]:
    if one["name"] == "JOB_COMPLETIONS":
      one["value"] = str(count)
  return manifest


@pytest.mark.parametrize("row", ROW.findall(TEXT), ids="-".join)
def test_the_machines_of_a_slice_have_its_chips(row):
  _, accelerator, topology, machines, chips = row
  assert int(machines) * int(chips) == math.prod(map(int, topology.split("x")))
  label = "cloud.google.com/gke-tpu"
  selector = {f"{label}-accelerator": accelerator, f"{label}-topology": topology}
  _check(_with(int(machines), selector, {"google.com/tpu": int(chips)}))


def test_nodes_with_gpus_are_what_the_header_says():
  name, value = re.search(r"`(cloud\.google\.com/gke-accelerator): ([\w-]+)`", TEXT).groups()
  resource, count = re.search(r"`(nvidia\.com/gpu): (\d)`", TEXT).groups()
  _check(_with(3, {name: value}, {resource: int(count)}))


def test_the_command_installs_and_runs_and_each_pod_has_its_place(tmp_path):
  manifest = yaml.safe_load(TEXT)
  stubs = Stubs(tmp_path)
  stubs.add("pip")
  stubs.add("python", '[ "$1" = -c ] && echo /lib/jaxbench')
  declared = {name: value for name, value in _environment(manifest).items() if value}
  declared |= {"SOURCE": "git+https://host/it", "ARGS": "--config.limit=8 --config.models=m"}
  stubs.run(*_container(manifest)["command"], **declared)
  install, _, run = stubs.calls()
  assert install == "pip install --quiet jaxbench[tpu] @ git+https://host/it"
  assert run == (
    "python -m jaxbench --config=/lib/jaxbench/configs/imagenet_c.py --workdir=gs://BUCKET/RUN "
    "--config.limit=8 --config.models=m"
  )
  # What JobSet writes on the second Job's pods, and Kubernetes gives to each.
  annotations = {"job-global-index": "1", "global-replicas": "2"}
  for one in _container(manifest)["env"]:
    if "valueFrom" in one:
      path = one["valueFrom"]["fieldRef"]["fieldPath"]
      (key,) = re.findall(r"^metadata\.annotations\['jobset\.sigs\.k8s\.io/(.+)'\]$", path)
      declared[one["name"]] = annotations[key]
  place = hosts.find(None, {**declared, "JOB_COMPLETION_INDEX": "3"})
  assert place == hosts.Host(7, 8)
