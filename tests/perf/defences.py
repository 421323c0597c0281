"""What a defence costs: predictions and gradients through it beside those of the model alone.

  PYTHONPATH=tests python tests/perf/defences.py [--tiny] [--images=4] [--defences=ttc,et3]

A ViT-B/32 with random weights, or with --tiny the digits' CLIP. "passes" are
those that the defence declares; "gradient" is of a cross-entropy with respect to images, for each
way to differentiate; "memory" is what XLA plans for temporaries of that gradient, beside that of
"bpda": in an unrolled loop each step is computed again, so that it should hardly grow. Compilation
is left out; turns are interleaved and the best of each stands.
"""

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags
from flax import nnx

from jaxbench import data, defences, devices, errors, models
from jaxbench.corruptions import jpeg

_TINY = flags.DEFINE_bool("tiny", False, "The digits' CLIP.")
_IMAGES = flags.DEFINE_integer("images", 4, "In a batch.")
_TURNS = flags.DEFINE_integer("turns", 3, "Of which the best stands.")
_NAMES = flags.DEFINE_list("defences", ["ttc"], "Specs without commas, a minute of compiling each.")


def _classifier() -> tuple[Any, int]:
  """With its normalised text, and the side of its images."""
  if _TINY.value:
    clip, names = models.load("digits-clip"), data.load("digits").class_names
    return models.zero_shot(clip, names, models.templates("simple")), 32
  config = models.ARCHITECTURES["ViT-B-32-quickgelu"]
  visual = models.CLIP(config, rngs=nnx.Rngs(0)).visual
  text = np.random.default_rng(0).normal(size=(config.embed_dim, 1000)).astype(np.float32)
  text /= np.linalg.norm(text, axis=0)
  return models.ZeroShot(visual, jnp.asarray(text), jnp.float32(100), jnp.float32(0)), 224


def _no_prompts() -> defences.Prompts:
  raise errors.InputError("rtpt and tpt are not measured here")


def _forward(classifier: Any, images: jax.Array) -> jax.Array:
  return classifier(images)


def _gradient(classifier: Any, images: jax.Array) -> jax.Array:
  return jax.grad(lambda images: jax.nn.log_softmax(classifier(images))[:, 0].sum())(images)


def _compiled(function: Callable[..., Any], classifier: Any, images: jax.Array) -> Any:
  return (
    jax.jit(function, compiler_options=devices.compiler_options())
    .lower(classifier, images)
    .compile()
  )


def _seconds(program: Any, classifier: Any, images: jax.Array) -> float:
  began = time.perf_counter()
  jax.block_until_ready(program(classifier, images))
  return time.perf_counter() - began


def _best(programs: dict[str, tuple[Any, Any]], images: jax.Array) -> dict[str, float]:
  """The least seconds of each, in turns."""
  found = dict.fromkeys(programs, float("inf"))
  for program, classifier in programs.values():
    _seconds(program, classifier, images)
  for _ in range(_TURNS.value):
    for name, (program, classifier) in programs.items():
      found[name] = min(found[name], _seconds(program, classifier, images))
  return found


def main(_: list[str]) -> None:
  """Prints a line for each defence."""
  base, side = _classifier()
  images = np.random.default_rng(0).random((_IMAGES.value, side, side, 3), np.float32)
  shown = jnp.asarray(images)
  blank = jnp.asarray(base.text).mean(axis=1)
  supplies = defences.Supplies(lambda: blank, jpeg.round_trip, _no_prompts)
  plain = {name: _compiled(call, base, shown) for name, call in _CALLS.items()}
  print(f"{'defence':24} {'passes':>8} {'forward':>8} {'images/s':>9}   gradient (memory)")
  for text in _NAMES.value:
    programs = {name: (program, base) for name, program in plain.items()}
    memory = {}
    for backward in defences.BACKWARDS:
      defended = defences.defend(base, defences.resolve([text]), supplies).replace(
        backward=backward
      )
      program = _compiled(_gradient, defended, shown)
      programs[backward] = program, defended
      memory[backward] = program.memory_analysis().temp_size_in_bytes
    programs["defended"] = _compiled(_forward, defended, shown), defended
    found = _best(programs, shown)
    ways = ", ".join(
      f"{way} {found[way] / found['gradient']:.1f}x ({memory[way] / memory['bpda']:.2f}x)"
      for way in defences.BACKWARDS
    )
    passes = "/".join(map(str, defended.cost[:2]))
    slower = f"{found['defended'] / found['forward']:.1f}x"
    print(f"{text:24} {passes:>8} {slower:>8} {len(images) / found['defended']:9.1f}   {ways}")


_CALLS = {"forward": _forward, "gradient": _gradient}

if __name__ == "__main__":
  app.run(main)
