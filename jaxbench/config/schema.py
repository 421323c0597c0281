"""The settings: one dataclass per concern, every default in one place.

Tuples only, and not frozen: that is what `--config.key=value` can override.
"""

import dataclasses
from typing import Annotated, Any

from jaxbench.records import directions

AUTO = 0  # The fastest slots that fit the memory of a device; "auto" on the command line.
AUTO_DTYPE, FLOAT32, BFLOAT16 = "auto", "float32", "bfloat16"  # Of searches.
Slots = Annotated[int, "or auto"]
Limit = Annotated[int | str, "or a share, as 1%"]


@dataclasses.dataclass
class Corruptions:
  """Common corruptions (ImageNet-C)."""

  names: tuple[str, ...] = ()  # From `corruptions.NAMES`, `EXTRA_NAMES`, `C_BAR_NAMES`.
  severities: tuple[int, ...] = (1, 2, 3, 4, 5)
  # Whose constants, from `corruptions.VARIANTS`: "imagenet" for 224 pixels, "cifar" for 32.
  variant: str = "imagenet"
  storage: str = "none"  # "jpeg85" judges images as ImageNet-C's files hold them.
  im_round: str = "nearest"  # Or "floor": how ImageMagick rounds in motion blur and snow.
  # Folder of frost's photographs; by default those of an installed imagecorruptions.
  textures: str = ""
  sequences: tuple[str, ...] = ()  # Of frames: from `corruptions.SEQUENCES`, `EXTRA_SEQUENCES`.
  difficulty: int = 1  # To 3: stronger noise; of the others, frames compared so far apart.
  # What flips are divided by: one of `models`, or a file for `metrics.read_flip_reference`.
  flip_reference: str = ""
  # What errors are divided by, if not by AlexNet's at ImageNet-C: one of `models`.
  error_reference: str = ""


@dataclasses.dataclass
class Stylization:
  """Images in the style of paintings (Stylized-ImageNet), where both are given."""

  weights: str = ""  # Folder of AdaIN's published files, see `stylize.load`.
  paintings: str = ""  # Folder of images.


@dataclasses.dataclass
class Retrieval:
  """Of data sets of images with captions."""

  # "image_to_text", whose examples are images, and "text_to_image", whose examples are captions.
  directions: tuple[str, ...] = directions.DIRECTIONS
  captions: tuple[str, ...] = ("raw",)  # How they are cleaned: from `data.CLEANINGS`.
  prefix: str = ""  # Before each caption: CLIP's paper has "a photo of ".


@dataclasses.dataclass
class Attacks:
  """Adversarial attacks: at every epsilon, or looking for the smallest one of each example."""

  names: tuple[str, ...] = ()  # Specs, run at each of `epsilons`: "pgd(steps=20, norm='l2')".
  # Specs, run at each of `epsilons` towards each of `targets`.
  targeted: tuple[str, ...] = dataclasses.field(default=(), metadata={"later": True})
  # Which class each image is to become: "random" (by its id), "next" (the one after the label),
  # "least_likely" (when clean), or a file, see `perturbations.aims`.
  targets: tuple[str, ...] = dataclasses.field(default=("random",), metadata={"later": True})
  smallest: tuple[str, ...] = ()  # Specs, bisected up to the largest of `epsilons`.
  transfer: tuple[str, ...] = ()  # Specs, made on surrogates at each of `epsilons`.
  smallest_transfer: tuple[str, ...] = ()  # The same, bisected for each target.
  # Models that images for transfer are made on; "a+b" is an ensemble, unless it is one of `models`
  # or b a file of tensors or a folder with a vision tower alone; "a[simple]" knows that prompt set
  # instead of the first of `prompts`, "a[embedding]" only the image encoder, "a[tokens]" its patch
  # tokens; "a>b" is b, begun at images made on a. Empty: `models`.
  surrogates: tuple[str, ...] = ()
  epsilons: tuple[float, ...] = (4 / 255,)  # In [0, 1] pixel units.
  tolerance: float = 1 / 2550  # Of a bisection; in pixel units.
  quantize: bool = False  # Attack images of 8 bits: what is classified is rounded to them.
  # "bfloat16" searches in it, "auto" where that is faster, see `precision.search_dtype`. Verdicts
  # are always in float32.
  search_dtype: str = FLOAT32


@dataclasses.dataclass
class TextAttacks:
  """Attacks on texts: on those of sets of texts, and on captions."""

  names: tuple[str, ...] = ()  # Specs of `attacks.text.ATTACKS`: "charmer(edits=2)".


@dataclasses.dataclass
class Joint:
  """Attacks on images and captions together, made on `attacks.surrogates` at each epsilon."""

  names: tuple[str, ...] = ()  # Specs of `attacks.joint.ATTACKS`: "sga", "co_attack(steps=20)".
  # How captions are attacked: a spec of `attacks.text.ATTACKS` without an objective, which the
  # attack has; "" leaves captions as they are.
  texts: str = "charmer"


@dataclasses.dataclass
class Universal:
  """Perturbations that are the same for all images, within each of `attacks.epsilons`."""

  # "digits-universal", folders or repositories of the hub, as `universal.load` takes them.
  paths: tuple[str, ...] = ()


@dataclasses.dataclass
class Config:
  """One evaluation: models x data sets x prompt sets x (clean, corruptions, attacks)."""

  # Names, paths, base+tower or base+tower.pt:model_ema, as `models.load` takes them;
  # "name|ttc(steps=2)" is a model within a test-time defence, one of `defences.DEFENCES`, and there
  # may be several.
  models: tuple[str, ...] = ()
  download: bool = False  # Fetch models that are named but not on this disk.
  data: tuple[str, ...] = ()  # Names or paths, as `data.load` takes them.
  data_root: str = ""  # Folder of published data sets; by default that of JAXBENCH_DATA.
  # Leave out data sets and models that are not on this disk, and list them; else they stop the run.
  available: bool = False
  # Those of `data` that are corrupted, written on and attacked; by default all of them.
  perturbed: tuple[str, ...] = ()
  # From `models.PROMPTS`, or files for `models.templates`; "own" are each data set's, as published,
  # "own(openai)" those of a source. Supervised models use none. These, `attacks.names` and `subset`
  # may differ between data sets, "imagenet=openai_80,own"; see `by_data`.
  prompts: tuple[str, ...] = ("simple",)
  corruptions: Corruptions = dataclasses.field(default_factory=Corruptions)
  stylization: Stylization = dataclasses.field(default_factory=Stylization)
  attacks: Attacks = dataclasses.field(default_factory=Attacks)
  universal: Universal = dataclasses.field(default_factory=Universal, metadata={"later": True})
  text_attacks: TextAttacks = dataclasses.field(
    default_factory=TextAttacks, metadata={"later": True}
  )
  joint: Joint = dataclasses.field(default_factory=Joint, metadata={"later": True})
  retrieval: Retrieval = dataclasses.field(default_factory=Retrieval, metadata={"later": True})
  typography: tuple[str, ...] = ()  # Words on images: specs from `typography.OVERLAYS`.
  # Radii of models within the defence `smooth`: specs of `defences.certificate`, as "certify" or
  # "certify(samples=10000)".
  certificates: tuple[str, ...] = dataclasses.field(default=(), metadata={"later": True})
  # Perturb sets of small images (CIFAR, STL-10) at their own size; models resize them inside.
  native: bool = False
  # "resize(short=256, interpolation='bilinear')": how images become inputs of the models' sizes in
  # protocols that leave the models' own way. In an identity only where it is said: `models.told`.
  preprocess: str = dataclasses.field(default="", metadata={"later": True})
  seed: int = 0
  subset: str = ""  # Evaluate a part of each data set: a spec from `data.SUBSETS`.
  # Evaluate a random sample of so many examples per data set, or of such a share, "1%"; 0 is all.
  limit: Limit = 0
  slots: Slots = AUTO  # Examples per device and batch; a number is kept to whatever there is.
  unreadable: float = 0.01  # A data set of which more images cannot be read stops the run.
  block: int = 1024  # Examples held in memory at a time; finished blocks survive a crash.
  gallery: int = 4  # Examples whose pictures are kept, per cell.
  # Predictions of a randomised model for each image, by keys that no attack has seen. A setting
  # that came later: runs without it are known by the same identity.
  evaluations: int = dataclasses.field(default=10, metadata={"later": True})
  published: tuple[str, ...] = ()  # From `published.TABLES`: shown in the report beside our own.


@dataclasses.dataclass
class Training:
  """Trains the three embedded models on the training scans of scikit-learn's digits."""

  seed: int = 0
  batch_size: int = 128
  steps: int = 1500  # Of CLIP, and of the ResNet.
  learning_rate: float = 1e-3  # Peak, cosine to zero.
  robust_steps: int = 600  # Of the robust twin, from CLIP's weights.
  robust_learning_rate: float = 5e-4
  robust_epsilon: float = 12 / 255  # Reached linearly over the first half.
  weight_decay: float = 0.05


@dataclasses.dataclass
class PromptSearch:
  """Searches tokens that, before a class name, make a CLIP classify better (CLIP-Auto)."""

  model: str = "digits-clip"  # A CLIP, as `models.load` takes it.
  download: bool = False  # Fetch it if it is not on this disk.
  data: str = "digits-train"  # What to search on, as `data.load` takes it.
  held_out: str = "digits"  # What the prompts are then evaluated on; "" is nothing.
  data_root: str = ""  # Folder of published data sets; by default that of JAXBENCH_DATA.
  subset: str = ""  # Of `data`, from `data.SUBSETS`: "balanced(each=16)" is 16-shot.
  limit: int = 0  # A random sample of so many of `data`; 0 is all.
  start: str = "a photo of a"  # Its tokens are the first prompt, and as many are searched.
  candidates: int = 40  # Scored in an iteration, which replaces one token.
  iterations: int = 100  # At most; the search ends where none of the candidates is better.
  ensemble: int = 1  # Of the best prompts, so many are written.
  # What else is done to the images, once, for prompts that are robust to it; clean ones stay. The
  # same is done to held-out ones, but there attacks are on the classifier that is evaluated.
  corruptions: tuple[str, ...] = ()  # From `corruptions.NAMES`, each at each of `severities`.
  severities: tuple[int, ...] = (3,)
  attacks: tuple[str, ...] = ()  # Specs, on the classifier of `start`, at each of `epsilons`.
  epsilons: tuple[float, ...] = (4 / 255,)  # In [0, 1] pixel units.
  soft_steps: int = 100  # Of a soft prompt that is learnt from the same start; 0 learns none.
  soft_learning_rate: float = 1e-3
  prompts: tuple[str, ...] = ("simple",)  # Sets to compare with on `held_out`.
  seed: int = 0  # Of corruptions and attacks; the search itself draws nothing.
  slots: int = 64  # Images per device and batch.


def fields(kind: Any, prefix: str = "") -> list[str]:
  """Dotted names of all settings of the config class `kind`, each after `prefix`."""
  names = []
  for field in dataclasses.fields(kind):
    nested = dataclasses.is_dataclass(field.type)
    names += fields(field.type, f"{prefix}{field.name}.") if nested else [prefix + field.name]
  return names
