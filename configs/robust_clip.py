"""Robust CLIPs on the fourteen sets of their papers, as RobustVLM evaluates FARE and TeCoA.

Command: python -m jaxbench --config=configs/robust_clip.py --workdir=runs/robust_clip \
  --config.models=openai/clip-vit-large-patch14+fare_eps_4.pt --config.data_root=/data
Run time: --plan tells; a ViT-L/14 that resists costs 1,414 gradients an example and epsilon.
Expected: not measured, since no weights of this size were at hand; the published table, within what
differs below.

APGD with cross-entropy (five restarts), then APGD towards nine targets with DLR, 100 steps each; on
PCAM, of two classes, the first alone; 2 and 4/255 (1/255 for base models), in float32; CIFAR and
STL-10 attacked at their own size (Schlarmann et al., 2024, arXiv:2402.12336, section 4.2 and their
code, commit 7de10ee2). Class names, templates and the 1,000 examples of each set are theirs, which
for the examples needs the hub's shards (huggingface.co/clip-benchmark); ImageNet's are the 5,000 of
RobustBench, of which nobody tells how many the paper took. Small images are enlarged otherwise.
The report tells what differs, line by line, and marks no number where anything does. Its averages
are over the thirteen sets without ImageNet, as theirs; --export writes the row of their table.

Arguments: `clean` is clean accuracy on the whole of each set, the numbers of their table at epsilon
0; `digits` the attack on the embedded models; `tiny` a few steps on four images of each set.
"""

from jaxbench import config

SETS = (
  "imagenet",
  "imagenet-r",
  "imagenet-sketch",
  "caltech101",
  "cars",
  "cifar10",
  "cifar100",
  "dtd",
  "eurosat",
  "fgvc_aircraft",
  "flowers",
  "pcam",
  "pets",
  "stl10",
)


def _attacks(numbers: str = "", epsilons: tuple[float, ...] = (2 / 255, 4 / 255)) -> config.Attacks:
  """Of two classes there is one target, which the first part has already."""
  return config.Attacks(
    names=config.by_data(
      {
        "pcam": f"autoattack(attacks=('apgd-ce',), restarts=5{numbers})",
        "*": f"autoattack(attacks=('apgd-ce', 'apgd-t'), restarts=5{numbers})",
      }
    ),
    epsilons=epsilons,
  )


def get_config(where: str = "attacked") -> config.Config:
  """The protocol: `attacked`, `clean`, `tiny`, or on the embedded `digits`."""
  config.check_argument(where, "attacked", "clean", "tiny", "digits")
  if where == "digits":
    return config.Config(
      models=("digits-clip", "digits-clip-robust"),
      data=("digits",),
      prompts=("openai_80",),
      attacks=_attacks(epsilons=(4 / 255, 8 / 255, 16 / 255)),
      native=True,
    )
  attacks = {
    "attacked": _attacks(),
    "clean": config.Attacks(),
    "tiny": _attacks(", steps=3, targets=2", (4 / 255,)),
  }
  return config.Config(
    models=("models/fare4-clip",),
    data=SETS,
    available=True,
    prompts=("own",),
    attacks=attacks[where],
    subset={"attacked": "imagenet=robustbench,robustvlm(n=1000)"}.get(where, ""),
    limit={"tiny": 4}.get(where, 0),
    native=True,
    published=("fare", "robustvlm-base"),
  )
