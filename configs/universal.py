"""Universal perturbations: one for all images, learnt beforehand, at several radii.

  python -m jaxbench --config=configs/universal.py --workdir=runs/universal \\
      --config.models=openai/clip-vit-base-patch32 --config.data=imagenet \\
      --config.universal.paths=hanxunh/xtransfer_large_linf_eps12_non_targeted

`universal.py:tiny` runs in a minute: what was learnt on digits-clip, on all three embedded models.
"""

from jaxbench import config


def get_config(size: str = "full") -> config.Config:
  """ImageNet and X-Transfer's largest perturbation; `tiny` is digits and its own."""
  epsilons = (4 / 255, 8 / 255, 12 / 255, 16 / 255)
  if size == "tiny":
    return config.Config(
      models=("digits-clip", "digits-clip-robust", "digits-resnet"),
      data=("digits",),
      prompts=("openai_80",),
      universal=config.Universal(paths=("digits-universal",)),
      attacks=config.Attacks(epsilons=epsilons),
    )
  if size != "full":
    raise ValueError(f"{size!r} is no size: tiny or full")
  return config.Config(
    models=("openai/clip-vit-base-patch32",),
    data=("imagenet",),
    prompts=("openai_80",),
    universal=config.Universal(paths=("hanxunh/xtransfer_large_linf_eps12_non_targeted",)),
    attacks=config.Attacks(epsilons=epsilons),
  )
