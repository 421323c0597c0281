"""Results in the form of RobustBench's leaderboard (Croce et al., 2021, arXiv:2010.09670)."""

import json
import re
from collections.abc import Iterator
from typing import Any

from etils import epath

from jaxbench import errors, metrics, records, spec
from jaxbench.metrics import published
from jaxbench.records import kinds
from jaxbench.report import protocols

_THREATS = {"linf": "Linf", "l2": "L2"}  # The leaderboard has no other norms.
# What only the model's authors know; its maintainers ask for it.
_FOR_THE_AUTHORS = ("link", "name", "authors", "additional_data", "venue", "reported")


def robustbench(workdir: epath.PathLike, folder: epath.PathLike) -> list[epath.Path]:
  """Writes `folder`/data set/threat model/classifier.json, as RobustBench's `model_info` has them.

  One for each classifier and epsilon that standard AutoAttack was run at, to the end. Of several
  epsilons each is a file of its own.

  Returns:
    The files.

  Raises:
    InputError: the run holds no such result.
  """
  run = records.load_run(workdir)
  summary = {
    row["cell"]: row for row in metrics.summarize(records.read_finished(workdir)).to_pylist()
  }
  written = []
  for cell in _standard(run, summary):
    name = "_".join(filter(None, (cell["model"], cell["prompts"])))
    name = re.sub(r"[^\w.-]+", "_", name).strip("_")
    file = epath.Path(folder) / cell["data"] / _THREATS[cell["norm"]] / f"{name}.json"
    if file in written:
      file = file.with_name(f"{name}_{cell['setting'].replace('/', '_')}.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(_info(run, cell, summary), indent=2))
    written.append(file)
  if not written:
    raise errors.InputError(
      f"{workdir}: no classifier has been through all of standard autoattack in linf or l2, and "
      "RobustBench takes nothing else"
    )
  return written


def _standard(run: dict[str, Any], summary: dict[str, dict]) -> Iterator[dict[str, Any]]:
  """Finished cells of standard AutoAttack at one epsilon."""
  for cell in run["cells"]:
    if cell["kind"] != kinds.ATTACK or cell["norm"] not in _THREATS:
      continue
    standard = spec.write("autoattack", {"norm": cell["norm"]})
    done = summary.get(cell["id"], {"examples": 0})["examples"] == cell["examples"]
    if protocols.same_attack(cell, standard) and done:
      yield cell


def _info(run: dict[str, Any], cell: dict[str, Any], summary: dict[str, dict]) -> dict[str, Any]:
  figures = summary[cell["id"]]
  model = run["identity"]["models"][cell["model"]]
  protocol = published.protocol("robustbench", "imagenet", None, attacked=True)
  protocol = protocol._replace(attack=cell["attack"])  # Whatever its norm.
  return dict.fromkeys(_FOR_THE_AUTHORS) | {
    "number_forward_passes": 1,
    "dataset": cell["data"],
    "architecture": model["architecture"],
    "eps": cell["setting"],
    "clean_acc": f"{100 * figures['clean_correct'] / figures['examples']:.2f}",
    "autoattack_acc": f"{100 * figures['accuracy']:.2f}",
    "footnote": "; ".join(protocols.differences(protocol, run, cell, figures["examples"])) or None,
  }
