"""RoZ's eleven attacks: five white-box, four by transfer, two from logits; and the typographic one.

Command: python -m jaxbench --config=configs/roz_attacks.py --workdir=runs/roz_attacks
Run time: 2.5 to 6 minutes on 2 CPU cores, fast or slow ones, most of it NES and SPSA.
Expected: of twelve scans, median smallest epsilons of BIM 3.2/255 on CLIP and 9.7/255 on the
ResNet, of FGSM 3.6 and 21.9, of NES 6.2 and 25.

The paper (arXiv:2403.10499) counts eleven attacks, and its code holds two readings of them: (A)
these eleven, or (B) DIM by transfer alone and the typographic attack in its place. Both are here.

Settings are those of the code: steps of 0.15 epsilon, 20 of them and 10 by transfer; NES and SPSA
with 100 pairs a step. Its bounds are in CLIP's normalised units and differ from attack to attack;
here all are bisected up to one bound, in pixel units, and the report has the normalised median
beside them. What the code gets wrong is not repeated: MIM and DIM make 19 and 9 steps there, DIM
resizes the channel axis, images leave [0, 1], and a clean error counts as 0.001 for some attacks.
"""

from jaxbench import config, roz


def get_config() -> config.Config:
  """On scans of digits: a CLIP and a supervised ResNet, which is the surrogate as well."""
  return config.Config(
    models=("digits-clip", "digits-resnet"),
    data=("digits",),
    prompts=("openai_80",),
    typography=("text",),
    attacks=config.Attacks(
      smallest=(*roz.GRADIENTS, "deepfool(candidates=1000)", *roz.SCORES),
      smallest_transfer=roz.TRANSFER,
      surrogates=("digits-resnet",),
      epsilons=(1 / 255, 2 / 255, 4 / 255, 8 / 255, 16 / 255, 64 / 255),
      tolerance=1 / 255,
    ),
    limit=12,
    slots=1,  # One program for each attack and model: compiling takes longest here.
  )
