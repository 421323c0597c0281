"""Attacks of ours against a torch loop by the official rules; run by hand.

  PYTHONPATH=tests python tests/perf/attacks.py \
    [--parts=digits,clip,worst,survivors,robust,cascade,curve,curve-clip]

Same weights, same images, same machine, same run. The torch loop batches as the official code does:
all iterations for a whole batch, examples removed between attacks and targets only. "work" is the
ratio of gradient evaluations, theirs over ours, "time" that of seconds, compilation left out (it is
printed by itself): above 1 ours is better. "worst" is what nothing fools: there torch runs compiled
too and, on a GPU, both search in half precision as well. "survivors" is a short AutoAttack, part by
part, on a model of ViT-B/32's size that nothing fools, beside passes of the model alone. "curve" is
accuracy at 16 epsilons: one bisection of each part against the official rules at each epsilon.
"""

import contextlib
import time
import timeit
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import torch
from absl import app, flags
from flax import nnx
from references import attacks as reference
from references import machine, towers

from jaxbench import attacks, data, devices, models
from jaxbench.attacks.engine import batching, checks, verdict
from jaxbench.plan import cost

_PARTS = flags.DEFINE_list(
  "parts",
  ["digits", "clip", "worst", "survivors", "robust", "cascade", "curve", "curve-clip"],
  "What to do.",
)
_EXAMPLES = flags.DEFINE_integer("clip_examples", 8, "Images for the model of ViT-B/32's size.")
_SCANS = flags.DEFINE_integer("curve_scans", 64, "Digits whose curves are compared.")
_SLOTS = flags.DEFINE_integer("clip_slots", 4, "For them, per device.")
SEED, REPEATS = 0, 10
WHOLE = ("apgd-ce", "apgd-t", "fab-t", "square")


def _digits(
  name: str, count: int | None = None
) -> tuple[Any, torch.nn.Module, np.ndarray, np.ndarray]:
  clip = models.load(name)
  source = data.load("digits")
  ours = models.zero_shot(clip, source.class_names, models.templates("simple"))
  images, labels = data.load_images(source, range(count or len(source)), models.Preprocess(32))
  return ours, towers.Classifier(ours, clip.config), images.astype(np.float32) / 255, labels


def _clip(count: int, certain: bool = False) -> tuple[Any, torch.nn.Module, np.ndarray, np.ndarray]:
  """Random weights of ViT-B/32's size, 1000 random classes, its own predictions as labels.

  Of these one image decides them all if they are to be `certain`.
  """
  config = models.ARCHITECTURES["ViT-B-32-quickgelu"]
  visual = models.CLIP(config, rngs=nnx.Rngs(0)).visual
  draw = np.random.default_rng(0)
  text = draw.normal(size=(config.embed_dim, 1000)).astype(np.float32)
  text /= np.linalg.norm(text, axis=0)
  images = draw.random((count, 224, 224, 3), np.float32)
  if certain:
    text[:, 0] = np.asarray(jax.jit(lambda tower, x: tower(x))(visual, images[:1]))[0]
  ours = models.ZeroShot(visual, jnp.asarray(text), jnp.float32(100), jnp.float32(0))
  labels = np.asarray(jax.jit(lambda c, x: c(x))(ours, images).argmax(axis=1), np.int32)
  return ours, towers.Classifier(ours, config), images, labels


def _timed(attack: Any, *arguments: Any, **options: Any) -> tuple[Any, float, float]:
  """(result, seconds, seconds of the first call, which compiles)."""
  seconds = []
  for _ in range(2):
    began = time.perf_counter()
    result = attack(*arguments, **options)
    seconds.append(time.perf_counter() - began)
  return result, seconds[1], seconds[0]


def _torch_loop(
  model: torch.nn.Module,
  images: np.ndarray,
  labels: np.ndarray,
  epsilon: float,
  *,
  steps: int = 100,
  targets: int = 9,
  **options: Any,
) -> tuple[dict[str, torch.Tensor], int]:
  return reference.autoattack_linf(
    model,
    torch.tensor(images),
    torch.tensor(labels).long(),
    epsilon,
    torch.Generator(torch.get_default_device()).manual_seed(SEED),
    steps=steps,
    targets=targets,
    **options,
  )


def _compare(
  title: str,
  subject: Any,
  epsilon: float,
  slots: int,
  *,
  parts: tuple[str, ...] = ("apgd-ce",),
  steps: int = 100,
  targets: int = 9,
  queries: int = 5000,
) -> tuple[float, float]:
  """Seconds, ours and torch's."""
  ours, theirs, images, labels = subject
  settings: dict[str, Any] = {"steps": steps, "targets": targets, "queries": queries}
  attack = attacks.autoattack(attacks=parts, **settings)
  result, seconds, first = _timed(
    attacks.run, attack, ours, images, labels, epsilon, jax.random.key(SEED), slots=slots
  )
  began = time.perf_counter()
  left, gradients = _torch_loop(theirs, images, labels, epsilon, parts=parts, **settings)
  torch_seconds = time.perf_counter() - began
  robust = left[parts[-1]].cpu().numpy().mean()
  spent = int(result.backwards.sum())
  print(
    f"{title}: robust {1 - result.success.mean():.1%} (torch {robust:.1%}), "
    f"{spent / len(images):.1f} gradients per image (torch {gradients / len(images):.1f}), "
    f"{len(images) / seconds:.2f} images/s (torch {len(images) / torch_seconds:.2f}); "
    f"work {gradients / max(spent, 1):.1f}x, time {torch_seconds / seconds:.2f}x, occupancy "
    f"{result.occupancy:.3f}, first call {first - seconds:.1f} s longer",
    flush=True,
  )
  return seconds, torch_seconds


def _survivors(subject: Any, slots: int) -> None:
  """Each part of AutoAttack where nothing is fooled, their sum, and the model alone."""
  seconds = [
    _compare(
      f"survivors, {part}", subject, 0.0, slots, parts=(part,), steps=20, targets=3, queries=200
    )
    for part in WHOLE
  ]
  ours, theirs = map(sum, zip(*seconds, strict=True))
  print(f"survivors, all parts: {ours:.1f} s (torch {theirs:.1f} s), time {theirs / ours:.2f}x")
  classifier, model, images, _ = subject
  batch = np.resize(images, (slots * devices.mesh().size, *images.shape[1:]))
  scattered, replicated = devices.scatter(batch), devices.replicate(classifier)
  tensor = torch.tensor(batch)

  def ours_alone(given: Any, x: jax.Array) -> jax.Array:
    return given(x)[:, 0]

  def theirs_forward() -> None:
    with torch.inference_mode():
      model(tensor)

  def theirs_gradient() -> None:
    leaf = tensor.clone().requires_grad_()
    torch.autograd.grad(model(leaf)[:, 0].sum(), leaf)

  for name, differentiate, other in (
    ("forward passes", lambda function: function, theirs_forward),
    ("gradients", _summed_gradient, theirs_gradient),
  ):
    alone = _fastest(devices.shard(differentiate(ours_alone)), replicated, scattered)
    torch_alone = min(timeit.repeat(other, number=1, repeat=REPEATS))
    print(
      f"{name} of {len(batch)} images alone: {len(batch) / alone:.1f}/s (torch "
      f"{len(batch) / torch_alone:.1f}), time {torch_alone / alone:.2f}x",
      flush=True,
    )


def _summed_gradient(function: Any) -> Any:
  return lambda given, images: jax.grad(lambda x: function(given, x).sum())(images)


def _fastest(program: Any, *arguments: Any) -> float:
  """Seconds of the fastest of several calls."""

  def call() -> None:
    jax.block_until_ready(program(*arguments))

  call()
  return min(timeit.repeat(call, number=1, repeat=REPEATS))


class _Half(torch.nn.Module):
  """A torch model under autocast."""

  def __init__(self, model: torch.nn.Module):
    super().__init__()
    self._model = model

  def forward(self, images: torch.Tensor) -> torch.Tensor:
    with torch.autocast(images.device.type, torch.bfloat16):
      return self._model(images).float()


def _worst(title: str, subject: Any, slots: int) -> None:
  """Gradients per second where nothing is fooled: at epsilon 0."""
  ours, theirs, images, labels = subject
  attack = attacks.apgd(steps=100)

  def search(dtype: str) -> Any:
    return lambda: int(
      attacks.run(
        attack,
        ours,
        images,
        labels,
        0.0,
        jax.random.key(SEED),
        slots=slots,
        search_dtype=dtype,
      ).backwards.sum()
    )

  def loop(model: torch.nn.Module) -> Any:
    return lambda: _torch_loop(
      model, images, labels, 0.0, queries=5000, parts=("apgd-ce",), batch=max(64, slots)
    )[1]

  def compiled(model: torch.nn.Module) -> torch.nn.Module:
    torch._dynamo.config.recompile_limit = 64  # One program per batch size, or it gives up.
    return torch.compile(model, dynamic=False)

  sides = {
    "torch, float32": loop(theirs),
    "torch.compile, float32": loop(compiled(theirs)),
    "ours, float32": search("float32"),
  }
  if torch.cuda.is_available():
    half = _Half(theirs)
    sides |= {
      "torch, bfloat16": loop(half),
      "torch.compile, bfloat16": loop(compiled(half)),
      "ours, bfloat16": search("bfloat16"),
    }
  rates, flops = {}, _gradient_flops(ours, images[:1])
  for name, side in sides.items():
    gradients, seconds, _ = _timed(side)
    rates[name] = gradients / seconds
    dtype = name.split(", ")[1]
    reached = rates[name] * flops / devices.mesh().size
    ratios = [f"{rates[name] / rate:.2f}x of {other}" for other, rate in rates.items()]
    print(
      f"worst case, {title}, {name}: {rates[name]:.1f} gradients/s, {reached / 1e12:.2f} TFLOP/s "
      f"a device, {reached / machine.product_flops(dtype):.0%} of large matrix products; "
      f"{', '.join(ratios[:-1])}",
      flush=True,
    )


def _gradient_flops(classifier: Any, images: np.ndarray) -> float:
  """Of one image: XLA's count for its forward pass and the gradient of a logit."""

  def gradient(classifier: Any, images: jax.Array) -> jax.Array:
    return jax.grad(lambda x: classifier(x)[:, 0].sum())(images)

  return cost.count_flops(gradient, classifier, images)


def _cascade() -> None:
  """AutoAttack on 2,000 examples of the small models: the scans, again with other numbers.

  The twin, of which most examples survive everything, takes a shorter one.
  """
  full = attacks.autoattack(queries=200)
  short = attacks.autoattack(steps=20, targets=3, queries=200)
  for name, cascade in (("digits-clip", full), ("digits-clip-robust", short)):
    ours, _, images, labels = _digits(name)
    rows = np.arange(2000) % len(images)

    def attack(
      ours: Any = ours,
      cascade: attacks.Cascade = cascade,
      images: np.ndarray = images[rows],
      labels: np.ndarray = labels[rows],
    ) -> Any:
      return attacks.run(
        cascade,
        ours,
        images,
        labels,
        8 / 255,
        jax.random.key(SEED),
        slots=32,
      )

    result, seconds, first = _timed(attack)
    print(
      f"AutoAttack, {name}, 2000 examples at 8/255 (200 queries): "
      f"robust {1 - result.success.mean():.1%}, {2000 / seconds:.1f} examples/s, "
      f"{result.backwards.mean():.1f} gradients per example, occupancy {result.occupancy:.3f}, "
      f"first call {first - seconds:.1f} s longer, outside the compiled steps "
      f"{1 - _seconds_in(attack, _STEPS) / seconds:.1%}, outside all compiled programs (with the "
      f"clean pass, checks and verdicts) {1 - _seconds_in(attack, _PROGRAMS) / seconds:.1%}",
      flush=True,
    )


_STEPS = ((batching, "_advance"),)
_PROGRAMS = (
  *_STEPS,
  (batching, "_compact"),
  (verdict, "judge"),
  (verdict, "classify"),
  (checks, "_gradients"),
)


def _seconds_in(attack: Any, makers: tuple[tuple[Any, str], ...]) -> float:
  """Of one run, those that some compiled programs take when each is waited for.

  Args:
    attack: the run.
    makers: functions that return a program, by module and name.
  """
  total = 0.0

  def timed(make: Any) -> Any:
    def made(*arguments: Any) -> Any:
      program = make(*arguments)

      def call(*arguments: Any) -> Any:
        nonlocal total
        jax.block_until_ready(arguments)
        began = time.perf_counter()
        result = jax.block_until_ready(program(*arguments))
        total += time.perf_counter() - began
        return result

      return call

    return made

  with contextlib.ExitStack() as patches:
    for module, name in makers:
      make = timed(getattr(module, name))
      patches.enter_context(mock.patch.object(module, name, make))
    attack()
  return total


def _curve(title: str, subject: Any, largest: float, slots: int) -> None:
  """Accuracy at 16 epsilons: each part of a short AutoAttack bisected, against 16 official runs."""
  ours, theirs, images, labels = subject
  sizes: dict[str, Any] = {"steps": 20, "targets": 3, "queries": 300}
  epsilons = np.arange(1, 17) / 16 * largest
  for part in WHOLE:
    (attack,) = attacks.autoattack(attacks=(part,), **sizes).attacks
    found, seconds, _ = _timed(
      attacks.minimal_epsilon,
      attack,
      ours,
      images,
      labels,
      largest,
      tolerance=largest / 320,  # A twentieth of a step of the curve.
      key=jax.random.key(SEED),
      slots=slots,
    )
    began = time.perf_counter()
    runs = [_torch_loop(theirs, images, labels, e, parts=(part,), **sizes) for e in epsilons]
    torch_seconds = time.perf_counter() - began
    alone = np.array([left[part].cpu().numpy().mean() for left, _ in runs])
    spent, gradients = int(found.backwards.sum()), sum(count for _, count in runs)
    work = f"work {gradients / spent:.1f}x, " if spent else ""
    print(
      f"curve, {title}, {part}, 16 epsilons to {largest * 255:g}/255, {len(images)} images: "
      f"{spent / len(images):.1f} gradients and {found.forwards.mean():.1f} forward passes per "
      f"image (torch {gradients / len(images):.1f} gradients), {seconds:.1f} s (torch "
      f"{torch_seconds:.1f}); {work}time {torch_seconds / seconds:.2f}x, largest difference of the "
      f"curves {np.abs(found.accuracy(epsilons) - alone).max():.3f}",
      flush=True,
    )


def main(_: list[str]) -> None:
  """Prints a line per comparison."""
  machine.use_all_of_it()
  if "digits" in _PARTS.value:
    _compare("APGD-CE, digits-clip, 8/255", _digits("digits-clip"), 8 / 255, 32)
    _compare("AutoAttack, digits-clip, 8/255", _digits("digits-clip"), 8 / 255, 32, parts=WHOLE)
    _compare("APGD-CE, robust twin, 8/255", _digits("digits-clip-robust"), 8 / 255, 32)
  if "clip" in _PARTS.value:
    title = "AutoAttack, ViT-B/32 size, 4/255"
    _compare(title, _clip(_EXAMPLES.value), 4 / 255, _SLOTS.value, parts=WHOLE)
  if "worst" in _PARTS.value:
    _worst("digits-clip", _digits("digits-clip"), 32)
    _worst("ViT-B/32 size", _clip(_EXAMPLES.value, certain=True), _SLOTS.value)
  if "survivors" in _PARTS.value:
    _survivors(_clip(_EXAMPLES.value, certain=True), _SLOTS.value)
  if "robust" in _PARTS.value:
    few = _digits("digits-clip-robust", 64)
    title = "AutoAttack, 500 queries, 64 scans, robust twin, 8/255"
    _compare(title, few, 8 / 255, 32, parts=WHOLE, queries=500)
  if "cascade" in _PARTS.value:
    _cascade()
  if "curve" in _PARTS.value:
    for name, largest in (("digits-clip", 6 / 255), ("digits-clip-robust", 32 / 255)):
      _curve(name, _digits(name, _SCANS.value), largest, 32)
  if "curve-clip" in _PARTS.value:
    _curve("ViT-B/32 size", _clip(_EXAMPLES.value), 1 / 255, _SLOTS.value)


if __name__ == "__main__":
  app.run(main)
