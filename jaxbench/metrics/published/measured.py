"""How the numbers of the published tables under attack were measured."""

from collections.abc import Callable

from jaxbench.metrics.published.protocol import (
  TORCHVISION,
  Pixels,
  Prompts,
  Protocol,
  openai_80,
  own_templates,
)

_SECONDARY = "numbers: as another paper quotes them"
_ENLARGED = "images: enlarged inside by torch's bicubic, which is not Pillow's"
_SMALL = {"cifar10": 32, "cifar100": 32, "stl10": 96}
# Whole sets, on which clean numbers are.
_EXAMPLES = {
  "caltech101": 6_085,
  "caltech101-all": 8_677,
  "caltech101-coop": 2_465,
  "caltech256": 30_607,
  "cars": 8_041,
  "cifar10": 10_000,
  "cifar100": 10_000,
  "country211": 21_100,
  "dtd": 1_880,
  "dtd-coop": 1_692,
  "eurosat": 5_400,
  "eurosat-all": 27_000,
  "eurosat-coop": 8_100,
  "fgvc_aircraft": 3_333,
  "flowers": 6_149,
  "flowers-coop": 2_463,
  "food101": 25_250,
  "imagenet": 50_000,
  "imagenet-a": 7_500,
  "imagenet-r": 30_000,
  "imagenet-sketch": 50_889,
  "imagenetv2-matched-frequency": 10_000,
  "pcam": 32_768,
  "pets": 3_669,
  "stl10": 8_000,
  "sun397-all": 108_754,
  "tinyimagenet": 10_000,
  "ucf101": 3_783,
}


def protocol(name: str, data: str, line: str | None, *, attacked: bool) -> Protocol:
  """That of a published table.

  Args:
    name: of the table.
    data: a data set that it has, or over which it takes a mean.
    line: what a model is called there; None for a model that it does not have.
    attacked: of numbers under attack, or of clean ones.
  """
  return _PROTOCOLS[name](data, line, attacked)


def _robustbench(data: str, line: str | None, attacked: bool) -> Protocol:
  pixels = _ROBUSTBENCH_PIXELS.get(line, TORCHVISION) if line else None
  never = (_UNLIKE[line],) if line in _UNLIKE else ()
  attack = "autoattack" if attacked else None
  return Protocol(data, 5_000, None, pixels, "robustbench", attack, never)


_BICUBIC = Pixels(224, 256)
_ROBUSTBENCH_PIXELS = {
  "Debenedetti2022Light_XCiT-S12": None,
  "Liu2023Comprehensive_Swin-L": _BICUBIC,
  "Singh2023Revisiting_ViT-B-ConvStem": _BICUBIC,
  "Wong2020Fast": None,
}
_UNLIKE = {
  "Debenedetti2022Light_XCiT-S12": "images: its preprocessing is not in the table's source",
  "Wong2020Fast": "images: the centre of 288 pixels, not resized",
}
_FARE_ATTACK = "autoattack(attacks=('apgd-ce', 'apgd-t'), restarts=5)"
_FARE_ATTACK_OF_TWO_CLASSES = "autoattack(attacks=('apgd-ce',), restarts=5)"


def _fare(data: str, line: str | None, attacked: bool) -> Protocol:
  """RobustVLM's evaluation, by its code (commit 7de10ee2)."""
  del line
  never = []
  if data == "imagenet":  # RobustBench's, of which nobody tells how many.
    never.append("examples: which of RobustBench's 5,000 is not published")
  if data in _SMALL:
    never.append(_ENLARGED)
  examples = None if data == "imagenet" else _EXAMPLES.get(data)
  subset = "robustbench" if data == "imagenet" else ""
  if attacked and data != "imagenet":
    examples, subset = 1_000, "robustvlm(n=1000)"
  size = _SMALL.get(data)
  return Protocol(
    data,
    examples,
    openai_80() if data.startswith("imagenet") else own_templates(data),
    Pixels(size, native=True) if size else Pixels(),
    subset,
    (_FARE_ATTACK_OF_TWO_CLASSES if data == "pcam" else _FARE_ATTACK) if attacked else None,
    tuple(never),
  )


def _of_tecoas_code(data: str, attack: str | None, *never: str) -> Protocol:
  """As TeCoA's code shows images and asks for their classes (commit 1243db66)."""
  size = _SMALL.get(data)
  return Protocol(
    data,
    _EXAMPLES[data],
    Prompts("TeCoA's of the set", (), source="tecoa"),
    Pixels(size, native=True) if size else TORCHVISION,
    attack=attack,
    never=(*((_ENLARGED,) if size else ()), *never),
  )


def _tecoa(data: str, line: str | None, attacked: bool) -> Protocol:
  del line
  unknown = ("attack: its steps are not published",) if attacked else ()
  return _of_tecoas_code(data, None, "precision: half", *unknown)


def _tga_zsr(data: str, line: str | None, attacked: bool) -> Protocol:
  del line
  return _of_tecoas_code(data, _pgd(100) if attacked else None)


def _bap(data: str, line: str | None, attacked: bool) -> Protocol:
  del line
  prompts = Prompts('"a photo of {}"', ("a photo of {}",))
  attack = _pgd(10) if attacked else None
  return Protocol(data, _EXAMPLES[data], prompts, None, "", attack, (_SECONDARY,))


def _t_vss(data: str, line: str | None, attacked: bool) -> Protocol:
  prompts = Prompts('"a photo of a {}."', ("a photo of a {}.",))
  attack = _pgd(7 if line and line.endswith("RN50") else 100) if attacked else None
  rounded = ("images: rounded down to 8 bits after the attack",) if attacked else ()
  never = (_SECONDARY, *rounded)
  return Protocol(data, _EXAMPLES[data], prompts, Pixels(), "", attack, never)


def _coapt(data: str, line: str | None, attacked: bool) -> Protocol:
  del line
  never = (_SECONDARY, "prompts and images: not told")
  return Protocol(data, None, None, None, "", _pgd(100) if attacked else None, never)


def _leaf(data: str, line: str | None, attacked: bool) -> Protocol:
  del line
  unknown = ("attack, prompts and images: not told",) if attacked else ()
  return Protocol(data, 1_000 if attacked else None, never=(_SECONDARY, *unknown))


def _pgd(steps: int) -> str:
  """With steps of 1/255 and cross-entropy, as these papers have it."""
  return f"pgd(steps={steps}, step_size={1 / 255})"


_PROTOCOLS: dict[str, Callable[[str, str | None, bool], Protocol]] = {
  "fare": _fare,
  "robustbench": _robustbench,
  "robustvlm-base": _fare,
  "tecoa": _tecoa,
  "tga-zsr": _tga_zsr,
  "bap": _bap,
  "t-vss": _t_vss,
  "coapt": _coapt,
  "leaf": _leaf,
}
