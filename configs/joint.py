"""Images and captions attacked together on one CLIP, ranked by it and by others: SGA, Co-Attack.

Command: python -m jaxbench --config=configs/joint.py --workdir=runs/joint \
  --config.data_root=/data
Run time: --plan tells; of SGA some 50 passes forward and backward an image, and 80 of the text
tower a caption, for each surrogate: hours on a GPU.
Expected: not measured, since no weights of this size were at hand. SGA's authors have on Flickr30k,
with words of BERT, of what CLIP ViT-B/16 finds first 99.1 % lost by images and 98.9 % by captions
where the attack was made on it, and 38.8 and 47.8 % where RN101 is shown the same (success by set
difference).

Ten signed steps at 2/255, every model as a surrogate of all (one of them alone:
--config.attacks.surrogates=NAME); captions as these papers clean them. Each caption loses a
character (LEAF's search), since BERT is not here. A list of words that may stand for others comes
nearer: --config.joint.texts="listed(file='substitutes.json')".

Arguments: `tiny` is two steps and a few candidates, for sets like those of the tests.
"""

from jaxbench import config


def get_config(size: str = "full") -> config.Config:
  """`full` or `tiny`."""
  config.check_argument(size, "full", "tiny")
  model = "openai/clip-vit-base-patch16"
  names, texts = ("sga", "co_attack"), "leaf(rho=20)"
  if size == "tiny":
    names, texts = ("sga(scales=(0.5,), steps=2)", "co_attack(steps=2)"), "leaf(rho=2)"
  return config.Config(
    models=(model, "openai/clip-vit-base-patch32"),
    data=("flickr30k",),
    available=True,
    retrieval=config.Retrieval(captions=("albef",)),
    attacks=config.Attacks(epsilons=(2 / 255,)),
    joint=config.Joint(names=names, texts=texts),
  )
