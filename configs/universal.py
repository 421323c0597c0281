"""Universal perturbations: one for all images, learnt beforehand, at several radii.

Command: python -m jaxbench --config=configs/universal.py --workdir=runs/universal \
  --config.download --config.data_root=/data
Run time: five passes an image; minutes on a GPU. `:tiny` half a minute on two cores.
Expected: not measured, since neither these weights nor these files were at hand. `:tiny`:
digits-clip, which `digits-universal` was learnt on, 98.3 % clean and 10.3 % at 16/255;
digits-clip-robust 95.8 and 95.6, digits-resnet 99.2 and 99.2.

X-Transfer's other files (huggingface.co/hanxunh) are named in the same way, what you have learnt
yourself (python -m jaxbench.universal) by its folder: --config.universal.paths=A,B.
"""

from jaxbench import config


def get_config(size: str = "full") -> config.Config:
  """ImageNet and X-Transfer's largest perturbation; `tiny` is digits and its own."""
  config.check_argument(size, "full", "tiny")
  epsilons = (4 / 255, 8 / 255, 12 / 255, 16 / 255)
  if size == "tiny":
    return config.Config(
      models=("digits-clip", "digits-clip-robust", "digits-resnet"),
      data=("digits",),
      prompts=("openai_80",),
      universal=config.Universal(paths=("digits-universal",)),
      attacks=config.Attacks(epsilons=epsilons),
    )
  return config.Config(
    models=("openai/clip-vit-base-patch32",),
    data=("imagenet",),
    prompts=("openai_80",),
    universal=config.Universal(paths=("hanxunh/xtransfer_large_linf_eps12_non_targeted",)),
    attacks=config.Attacks(epsilons=epsilons),
  )
