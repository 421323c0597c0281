"""RobustBench's ImageNet protocol: standard AutoAttack at 4/255 on its 5,000 images.

Command: python -m jaxbench --config=configs/robustbench.py --workdir=runs/robustbench \
  --config.models=PATH
and then, for its leaderboard's JSON,
python -m jaxbench.report runs/robustbench --robustbench=model_info
Run time: --plan tells; an example that resists costs 1,910 gradients and 5,946 forward passes.
Expected: with the leaderboard's Salman2020Do_R50, 64.02 % clean and 34.96 % attacked.

Croce et al., 2021 (arXiv:2010.09670). The images are cut from the validation set by the list that
RobustBench publishes. The argument `digits` is the same on the embedded models, at 8/255.
"""

from jaxbench import config


def get_config(where: str = "imagenet") -> config.Config:
  """The protocol on ImageNet, or on `digits`."""
  config.check_argument(where, "imagenet", "digits")
  digits = where == "digits"
  return config.Config(
    models=("digits-clip", "digits-clip-robust") if digits else ("models/resnet50",),
    data=("digits",) if digits else ("imagenet",),
    prompts=("openai_80",),
    attacks=config.Attacks(names=("autoattack",), epsilons=(8 / 255 if digits else 4 / 255,)),
    subset="" if digits else "robustbench",
    published=("robustbench",),
  )
