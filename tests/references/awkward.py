"""Classifiers that nobody tuned for, as one program: masked, broken, saturated, quantised, ...

Which of them an image meets is written in its last columns, in a code that no small perturbation
changes; so each attack is compiled once and meets all of them in one batch. All have ten classes.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

CLASSES = 10
SHAPE = (4, 9, 3)  # Three columns of nine pixels are the code.
_SEEN = 6


def _masked(*classes):
  offset = np.zeros(CLASSES)
  offset[list(classes)] = -1e9
  return offset


def _only(*classes):
  return np.isin(np.arange(CLASSES), classes)


_DEFAULTS = {
  "scale": 1.0,
  "offset": np.zeros(CLASSES),
  "order": np.arange(CLASSES),
  "levels": 0.0,  # Of the input, which is rounded to as many.
  "chaos": 0.0,  # Size of waves that are far shorter than any epsilon.
  "step": 0.0,  # Logits are multiples of it.
  "blind": False,  # No gradient at all.
  "spoiled": False,  # A gradient of infinity times zero, in half of the images.
  "squash": 0.0,  # 1: probabilities; 2: their logarithms.
  "half": 0.0,  # 1: logits rounded to bfloat16; 2: to float16.
  "place": 0.0,  # What the place in the batch adds,
  "size": 0.0,  # its size,
  "neighbours": 0.0,  # and the mean of its members.
  "bright": 2.0,  # Images brighter than this have
  "value": 0.0,  # this for logits
  "hurt": np.ones(CLASSES, bool),  # of these classes.
}
KINDS = {
  "plain": {},
  "one class masked": {"offset": _masked(3)},
  "half of the classes masked": {"offset": _masked(1, 3, 5, 7, 9)},
  "two classes left": {"offset": _masked(0, 1, 2, 3, 4, 5, 7, 8)},
  "offset": {"offset": np.full(CLASSES, 1e4)},
  "large offset": {"offset": np.full(CLASSES, -1e6)},
  "masked, large and offset": {"offset": _masked(3) + 1e4, "scale": 100.0},
  "scale 1e-6": {"scale": 1e-6},
  "scale 1e-3": {"scale": 1e-3},
  "scale 1e2": {"scale": 1e2},
  "scale 1e4": {"scale": 1e4},
  "scale 1e6": {"scale": 1e6},
  "ties": {"step": 0.5},
  "coarse ties": {"step": 4.0},
  "all classes twice": {"order": np.arange(CLASSES) % 5},
  "constant": {"scale": 0.0},
  "not a number where bright": {"bright": 0.5, "value": np.nan},
  "infinite where bright": {"bright": 0.5, "value": np.inf, "hurt": _only(4)},
  "minus infinity where bright": {"bright": 0.5, "value": -np.inf, "hurt": _only(4)},
  "not a number": {"bright": -1.0, "value": np.nan},
  "one class minus infinity": {"bright": -1.0, "value": -np.inf, "hurt": _only(4)},
  "probabilities": {"squash": 1.0},
  "log-probabilities": {"squash": 2.0},
  "input of eight levels": {"levels": 8.0},
  "bfloat16": {"half": 1.0},
  "float16": {"half": 2.0},
  "chaotic": {"chaos": 2.0},
  "gradients that are no numbers": {"spoiled": True},
  "no gradients": {"blind": True},
  "rounding by place": {"place": 3e-6},
  # Verdicts of these depend on the batch; no code leads to them.
  "noise by place": {"place": 1.0},
  "logits by the size of the batch": {"size": 1.0},
  "logits by neighbours": {"neighbours": 0.5},
}
DEPENDENT = tuple(KINDS)[-3:]
CODED = tuple(KINDS)[:-3]


@struct.dataclass
class Menagerie:
  """A pytree callable: images float32 [B, 4, 9, 3] -> logits float32 [B, 10]."""

  weights: tuple
  fields: dict  # Of _DEFAULTS, each [kinds, ...].
  only: np.ndarray  # [] int32: the kind of all images, or -1 where each has its code.

  def __call__(self, images):
    code = images[:, :, _SEEN:].reshape(len(images), -1)[:, : len(CODED)]
    kinds = jnp.where(self.only < 0, jnp.argmax(code, axis=1), self.only)
    it = {name: jnp.asarray(values)[kinds] for name, values in self.fields.items()}
    wide = {name: values[:, None] for name, values in it.items() if values.ndim == 1}
    pixels = images[:, :, :_SEEN].reshape(len(images), -1)
    levels = jnp.maximum(wide["levels"], 1.0)
    pixels = jnp.where(wide["levels"] > 0, jnp.round(pixels * levels) / levels, pixels)
    first = pixels @ self.weights[0] - 1
    z = jnp.float32(0.7) * jax.nn.gelu(first) @ self.weights[1]
    z += wide["chaos"] * jnp.sin(1e4 * first[:, :CLASSES])
    places = jnp.arange(len(images) * CLASSES, dtype=jnp.float32).reshape(z.shape)
    z += wide["place"] * jnp.sin(7.0 * places)
    z += wide["size"] * jnp.sin(len(images) + 3.0 * jnp.arange(CLASSES, dtype=jnp.float32))[None]
    z += wide["neighbours"] * z.mean(axis=0, keepdims=True)[:, ::-1]
    z += 0.0 * jnp.sqrt(jnp.where(wide["spoiled"], jnp.maximum(pixels[:, :1] - 0.5, 0.0), 1.0))
    step = jnp.maximum(wide["step"], 1e-30)
    z = jnp.where(wide["step"] > 0, jnp.round(z / step) * step, z)
    z = jnp.where(wide["blind"], jax.lax.stop_gradient(z), z)
    z = jnp.where(wide["squash"] == 1, jax.nn.softmax(z), z)
    z = jnp.where(wide["squash"] == 2, jax.nn.log_softmax(z), z)
    z = wide["scale"] * jnp.take_along_axis(z, it["order"], axis=1) + it["offset"]
    z = jnp.where(wide["half"] == 1, z.astype(jnp.bfloat16).astype(jnp.float32), z)
    z = jnp.where(wide["half"] == 2, z.astype(jnp.float16).astype(jnp.float32), z)
    broken = (pixels.mean(axis=1, keepdims=True) > wide["bright"]) & it["hurt"]
    return jnp.where(broken, wide["value"], z)


def classifier(kind=None):
  """All of them, or one."""
  draw = np.random.default_rng(3)
  shapes = (SHAPE[0] * _SEEN * SHAPE[2], 16), (16, CLASSES)
  weights = tuple(draw.normal(size=shape).astype(np.float32) for shape in shapes)
  fields = {}
  for name, default in _DEFAULTS.items():
    values = np.stack([np.asarray(own.get(name, default)) for own in KINDS.values()])
    fields[name] = values.astype(np.float32) if values.dtype == np.float64 else values
  fields["order"] = fields["order"].astype(np.int32)
  return Menagerie(weights, fields, np.int32(-1 if kind is None else tuple(KINDS).index(kind)))


logits = jax.jit(lambda classifier, images: classifier(images))


@functools.cache
def examples(kind=None, count=8):
  """Images of 8 bits, `count` of each kind, their labels, and the names of their kinds.

  Some pixels are 0 and 1. Labels are what is predicted, but for one in each kind.
  """
  kinds = CODED if kind is None else (kind,)
  draw = np.random.default_rng(4)
  images = draw.integers(0, 256, (len(kinds) * count, *SHAPE))
  images[draw.random(images.shape) < 0.2] = 0
  images[draw.random(images.shape) < 0.1] = 255
  names = np.repeat(kinds, count)
  code = np.zeros((len(images), SHAPE[0] * (SHAPE[1] - _SEEN) * SHAPE[2]))
  code[np.arange(len(images)), [tuple(KINDS).index(name) for name in names]] = 255
  images[:, :, _SEEN:] = code.reshape(len(images), SHAPE[0], -1, SHAPE[2])
  images = images.astype(np.float32) / np.float32(255)
  seen = np.asarray(logits(classifier(kind), images))
  labels = np.where(np.isfinite(seen).all(axis=1), seen.argmax(axis=1), 0)
  labels[::count] = (labels[::count] + 1) % CLASSES
  return images, labels.astype(np.int32), names
