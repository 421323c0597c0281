"""Which test-time defences survive somebody who knows them: three attackers on each, and the base.

Command: python -m jaxbench --config=configs/defences.py:tiny --workdir=runs/defences
Run time: `tiny` took 63 seconds on 2 CPU cores, 27 once it was compiled, the first fifth of
`digits` 19 minutes of one; of the whole --plan tells, an inner loop of 20 steps makes each gradient
some 80 times as dear.
Expected: `tiny` at 8/255: neither two bits nor TTC of one step withstands. Of 48 scans digits-clip
has 0 % right, within them 4.2 % and 0 %; clean 100, 93.8 and 100 %. Neither the whole nor `digits`
was run to its end. In `metrics.summarize_defended` a defence is worth the accuracy under the worst
of all images, less that of the undefended model.

Gray: images made on the undefended model, all steps of them, shown to every defence. White: made
through the defence, which is its own surrogate, with each of its derivatives (`backward`), and also
from the gray images on (`model>model|defence`): images are shown to every model, so that the worst
of a model is over all attackers. A randomised defence is attacked by means over 4 and over 20
draws, and judged by ten keys that no attack has drawn: rows hold the share of them that is right.
Black: Square sees logits of the defence, HopSkipJump its predictions. Of smoothing the l2 radii are
certified too.

Arguments: `digits` all eleven on the embedded model, one attack of 20 steps in white and gray;
`tiny` two of them and few steps.
"""

from jaxbench import config

DEFENCES = (
  "transform(kind='gaussian')",
  "transform(kind='bits')",
  "tte",
  "anti_adversary",
  "hedge",
  "ttc",
  "csr",
  "dbd",
  "et3",
  "clipure_cos",
  "smooth(samples=20)",
)
_DERIVATIVES = {  # Besides the exact ones; of the others all are the same.
  "anti_adversary": ("bpda", "smooth"),
  "hedge": ("bpda", "smooth"),
  "ttc": ("bpda", "smooth"),
  "csr": ("bpda", "smooth"),
  "dbd": ("bpda", "smooth"),
  "et3": ("bpda",),
  "clipure_cos": ("bpda",),
}


def _surrogates(model: str, defences: tuple[str, ...]) -> tuple[str, ...]:
  """The model alone, and within each defence with each of its derivatives.

  With the exact ones also begun at the images that were made on the model alone.
  """
  within = [f"{model}|{defence}" for defence in defences]
  for name, others in _DERIVATIVES.items():
    chosen = [defence for defence in defences if defence.partition("(")[0] == name]
    for defence in chosen:
      settings = defence.partition("(")[2].removesuffix(")")
      told = f"{settings}, " if settings else ""
      within += [f"{model}|{name}({told}backward={other!r})" for other in others]
  begun = [f"{model}>{model}|{defence}" for defence in defences]
  return (model, *within, *begun)


def _suite(
  model: str, defences: tuple[str, ...], steps: int, draws: tuple[int, ...]
) -> config.Attacks:
  return config.Attacks(
    transfer=(
      f"apgd(steps={steps})",
      f"apgd(steps={steps}, loss='dlr')",
      f"pgd(steps={steps}, loss='margin', restarts=5)",
      *(f"apgd(steps={steps}, draws={number})" for number in draws),
    ),
    surrogates=_surrogates(model, defences),
    names=("square(queries=5000)", "hopskipjump(queries=5000, norm='linf')"),
    epsilons=(1 / 255, 4 / 255),
  )


def get_config(size: str = "") -> config.Config:
  """Eleven defences of a CLIP, or of the embedded one (`digits`; `tiny` has two)."""
  config.check_argument(size, "", "digits", "tiny")
  if size == "tiny":
    model, defences = "digits-clip", ("transform(kind='bits', bits=2)", "ttc(steps=1)")
    attacks = config.Attacks(
      transfer=("pgd(steps=5)",),
      surrogates=(model, f"{model}|ttc(steps=1, backward='bpda')"),
      names=("square(queries=20)",),
      epsilons=(8 / 255,),
    )
    return config.Config(
      models=(model, *(f"{model}|{defence}" for defence in defences)),
      data=("digits",),
      prompts=("simple",),
      attacks=attacks,
      limit=48,
      slots=12,
      evaluations=5,
    )
  if size == "digits":
    model = "digits-clip"
    return config.Config(
      models=(model, *(f"{model}|{defence}" for defence in DEFENCES)),
      data=("digits",),
      prompts=("simple",),
      attacks=config.Attacks(
        transfer=("apgd(steps=20)",),
        surrogates=_surrogates(model, DEFENCES),
        names=("square(queries=200)",),
        epsilons=(3 / 255,),
      ),
      limit=48,
      slots=24,
      evaluations=5,
    )
  model = "openai/clip-vit-base-patch32"
  return config.Config(
    models=(model, *(f"{model}|{defence}" for defence in DEFENCES)),
    data=("imagenet",),
    prompts=("simple",),
    attacks=_suite(model, DEFENCES, steps=100, draws=(4, 20)),
    certificates=("certify(samples=10000)",),
    limit=1000,
  )
