"""Images per second of our models against torch, eager and compiled; run by hand.

  PYTHONPATH=tests python tests/perf/models.py [--batches=1,8,32] [--networks=ViT-B-32,RN50|all]

Same weights, same images, same machine, same run: the ratio is ours over theirs, so above 1 ours
is faster. Theirs are timm's networks, transformers' image towers, open_clip's where transformers
has none, and torch modules written for the tests. "backward" is forward and the gradient with
respect to the images, as an attack asks for it; torch computes no gradient of weights either. Each
number is the best of several calls, the libraries taking turns. A batch that does not fit is left
out and said to be. With --shares a line ends with the share of torch's own time, in eager mode,
that matrix products, convolutions and attention take: the rest is all that could be saved where
ours are no faster.
"""

import dataclasses
import os
import pathlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
import transformers
from absl import app, flags
from references import networks, parity
from references.writers import open_clip, timm

from jaxbench import devices, models
from jaxbench.models import architectures
from jaxbench.models.classifiers.vit import ViTConfig
from jaxbench.models.encoders.modified_resnet import ModifiedResNetConfig
from jaxbench.models.parts.transformer import TowerConfig
from jaxbench.models.weights import checkpoint, files, mapping

_BATCHES = flags.DEFINE_list("batches", ["1", "8", "32"], "Batch sizes.")
_NETWORKS = flags.DEFINE_list(
  "networks", ["ViT-B-32", "RN50", "resnet50"], "What is measured; `all` there are."
)
_COMPILED = flags.DEFINE_bool("compiled", True, "Measure torch.compile too.")
_HALF = flags.DEFINE_bool("half", False, "Compute in bfloat16; torch under autocast.")
_REPEATS = flags.DEFINE_integer("repeats", 4, "Calls in a turn, of which the best counts.")
_SHARES = flags.DEFINE_bool("shares", False, "Profile torch.")
_TURNS = flags.DEFINE_integer("turns", 3, "Of each side, one after another.")
_ALONE = flags.DEFINE_bool(
  "alone", False, "One thread each, in seconds of CPU: for a machine that others use too."
)
_PRODUCTS = re.compile(r"aten::(addmm|mm|baddbmm|bmm|.*conv.*|_scaled_dot_product.*)$")
_ACTIVATIONS = {"gelu_tanh": "gelu_pytorch_tanh"}  # Names of transformers', where they differ.


class _Embeds(torch.nn.Module):
  def __init__(self, vision: torch.nn.Module, output: str):
    super().__init__()
    self.vision, self.output = vision, output

  def forward(self, pixels: torch.Tensor) -> torch.Tensor:
    """Standardised images -> embeddings."""
    return getattr(self.vision(pixels), self.output)


def _networks(name: str) -> tuple[Any, torch.nn.Module, Any]:
  """Ours, theirs and the configuration, with the same random weights."""
  config = models.ARCHITECTURES[name]
  row = architectures.family(config)
  if row.timm is not None:
    network = name.removesuffix("-v2")  # A ResNet's second weights are of the same network.
    theirs = [timms for timms, (known, _) in row.timm.names.items() if known == network]
    theirs_name = network if network in theirs else theirs[0]
    config = dataclasses.replace(config, **row.timm.names[theirs_name][1])
    sized = {"img_size": config.preprocess.size} if isinstance(config, ViTConfig) else {}
    reference = timm.create_model(theirs_name, num_classes=config.num_classes, **sized)
    parity.randomize(reference)
    return _filled(config, reference, "timm"), reference, config
  if name == "alexnet":
    reference = parity.randomize(networks.alexnet(config.num_classes))
    return _filled(config, reference, "torchvision"), reference, config
  size = config.preprocess.size
  if isinstance(config.vision, ModifiedResNetConfig):
    tower = networks.CLIPResNet(config.vision.depths, config.vision.width, size, config.embed_dim)
    return _filled(config, parity.randomize(tower), "open_clip", r"^visual\."), tower, config
  if not isinstance(config.vision, TowerConfig):
    whole = open_clip.create_model(name.removesuffix("_clip"))
    tower = parity.randomize(whole.visual)
    return _filled(config, tower, "open_clip", r"^visual\."), tower, config
  settings = {
    "hidden_size": config.vision.width,
    "intermediate_size": config.vision.mlp_width,
    "num_hidden_layers": config.vision.layers,
    "num_attention_heads": config.vision.heads,
    "hidden_act": _ACTIVATIONS.get(config.vision.activation, config.vision.activation),
    "patch_size": config.patch_size,
    "image_size": size,
  }
  if isinstance(config, models.CLIPConfig):
    vision = transformers.CLIPVisionModelWithProjection(
      transformers.CLIPVisionConfig(**settings, projection_dim=config.embed_dim)
    )
    tower = _Embeds(vision, "image_embeds")
  else:
    vision = transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**settings))
    tower = _Embeds(vision, "pooler_output")
  return _filled(config, parity.randomize(vision), "huggingface"), tower, config


def _filled(config: Any, reference: torch.nn.Module, library: str, without: str = "^$") -> Any:
  """Our network (of a CLIP, its image tower) with the weights of `reference`.

  Its tensors are named as in that library's files, but for the start `without`.
  """
  whole = checkpoint.abstract(config)
  tensors = files.Tensors(pathlib.Path(), (), reference.state_dict())
  layouts = [
    (*renamings, (without, ""))
    for renamings in architectures.family(config).layouts(config)[library]
  ]
  renamings = mapping.likeliest(tensors.names, checkpoint.shapes(config), layouts)
  named = {}
  for name, spec in checkpoint.tensors(whole).items():
    one = mapping.source(name, renamings)
    if set(one.names) <= set(tensors.names):
      named[name] = jnp.asarray(mapping.read(tensors, name, one, spec.shape))
    else:  # The text side, which is not measured.
      named[name] = jnp.zeros(spec.shape)
  filled = checkpoint.fill(whole, named)
  return getattr(filled, "visual", filled)


def _ours(network: Any, images: np.ndarray) -> dict[str, Callable[[], Any]]:
  """As the suites run it: over all devices, if there are enough images."""
  if _HALF.value:
    network = models.compute_in(network, "bfloat16")
  programs = {
    "forward": lambda model, x: model(x),
    "backward": lambda model, x: jax.grad(lambda y: model(y)[:, 0].sum())(x),
  }
  if len(images) % devices.mesh().size:
    arguments = network, jnp.asarray(images)
    options = devices.compiler_options()
    compiled = {n: jax.jit(each, compiler_options=options) for n, each in programs.items()}
  else:
    arguments = devices.replicate(network), devices.scatter(images)
    compiled = {name: devices.shard(program) for name, program in programs.items()}
  return {
    name: lambda program=program: program(*arguments).block_until_ready()
    for name, program in compiled.items()
  }


def _theirs(network: torch.nn.Module, images: np.ndarray, config: Any) -> dict[str, Callable]:
  device = "cuda" if torch.cuda.is_available() else "cpu"
  network = network.to(device).requires_grad_(False)
  pixels = torch.tensor(images, device=device)
  mean, std = (torch.tensor(x, device=device) for x in (config.mean, config.std))

  def standardized(x: torch.Tensor) -> torch.Tensor:
    return ((x - mean) / std).permute(0, 3, 1, 2)

  def logits(x: torch.Tensor) -> torch.Tensor:
    with torch.autocast(device, torch.bfloat16, enabled=_HALF.value):
      return network(standardized(x))

  def wait() -> None:
    if device == "cuda":
      torch.cuda.synchronize()

  def forward() -> None:
    with torch.no_grad():
      logits(pixels)
    wait()

  def backward() -> None:
    x = pixels.clone().requires_grad_(True)
    logits(x)[:, 0].float().sum().backward()
    wait()

  return {"forward": forward, "backward": backward}


def _seconds(*calls: Callable[[], Any]) -> list[float]:
  """The best time of each, called again and again as an attack calls it.

  They take turns of several calls, so that a slow minute hits all; the first call of a turn is not
  timed, because the other library's threads still spin then.
  """
  clock = time.process_time if _ALONE.value else time.perf_counter
  best = [float("inf")] * len(calls)
  for _ in range(_TURNS.value):
    for i, call in enumerate(calls):
      call()
      for _ in range(_REPEATS.value):
        started = clock()
        call()
        best[i] = min(best[i], clock() - started)
  return best


def _share_of_products(call: Callable[[], Any]) -> float:
  """Of torch's time in a few calls."""
  call()
  with torch.profiler.profile() as profiled:
    for _ in range(_REPEATS.value):
      call()
  spent = {event.key: event.self_cpu_time_total for event in profiled.key_averages()}
  return sum(spent[name] for name in spent if _PRODUCTS.match(name)) / sum(spent.values())


def _rows(name: str) -> Iterator[str]:
  ours, reference, config = _networks(name)
  compiled = torch.compile(reference) if _COMPILED.value else None
  size = config.preprocess.size
  for batch in map(int, _BATCHES.value):
    images = np.random.default_rng(0).random((batch, size, size, 3), np.float32)
    peers = {"eager": reference} | ({} if compiled is None else {"compile": compiled})
    try:
      sides = [_ours(ours, images), *(_theirs(peer, images, config) for peer in peers.values())]
      for what in ("forward", "backward"):
        mine, *others = _seconds(*(side[what] for side in sides))
        ratios = "".join(f"{batch / one:10.1f} {one / mine:6.2f}x" for one in others)
        if _SHARES.value:
          ratios += f" {_share_of_products(sides[1][what]):5.0%}"
        yield f"{name:26} {batch:5} {what:9} {batch / mine:10.1f}{ratios}"
    except (torch.cuda.OutOfMemoryError, jax.errors.JaxRuntimeError) as error:
      yield f"{name:26} {batch:5} does not fit: {str(error).splitlines()[0][:60]}"


def _compile_seconds() -> float:
  """Tracing and compiling the image gradient of a ViT-L/14, from nothing."""
  tower = checkpoint.abstract(models.ARCHITECTURES["ViT-L-14"]).visual
  images = jax.ShapeDtypeStruct((4, 224, 224, 3), jnp.float32)
  started = time.perf_counter()
  jax.jit(lambda model, x: jax.grad(lambda y: model(y)[:, 0].sum())(x)).lower(
    tower, images
  ).compile()
  return time.perf_counter() - started


def main(argv: list[str]) -> None:
  """Prints the table."""
  del argv
  if _ALONE.value:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # XLA has a thread for each core.
    torch.set_num_threads(1)
  devices.use_all_cores()
  print(f"{jax.devices()[0].device_kind}, {torch.get_num_threads()} torch threads; images/s")
  header = f"{'':26} {'batch':>5} {'':9} {'ours':>10}{'eager':>10} {'ratio':>7}"
  print(header + (f"{'compile':>10} {'ratio':>7}" if _COMPILED.value else ""))
  for name in models.ARCHITECTURES if _NETWORKS.value == ["all"] else _NETWORKS.value:
    for row in _rows(name):
      print(row, flush=True)
  print(f"compile time of a ViT-L/14 gradient: {_compile_seconds():.1f} s")


if __name__ == "__main__":
  app.run(main)
