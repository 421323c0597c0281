"""A small zero-shot classifier in JAX and in torch, and published defences written in torch."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import struct

SIDE = 8
_DRAW = np.random.default_rng(11)
HIDDEN = (_DRAW.normal(size=(SIDE * SIDE * 3, 24)) / 5).astype(np.float32)
OUT = _DRAW.normal(size=(24, 12)).astype(np.float32)
TEXT = _DRAW.normal(size=(12, 5)).astype(np.float32)
TEXT /= np.linalg.norm(TEXT, axis=0)
BLANK = (TEXT.mean(axis=1) + 0.3 * _DRAW.normal(size=12)).astype(np.float32)
SCALE = 20.0
WORDS = _DRAW.normal(size=(3, 6)).astype(np.float32)  # A context of three vectors.
MIXED = _DRAW.normal(size=(6, 12)).astype(np.float32)


@struct.dataclass
class Encoder:
  """As `models.ZeroShot`: features and classify, and their composition."""

  hidden: jax.Array
  out: jax.Array
  text: jax.Array
  watch: Any = struct.field(pytree_node=False, default=None)  # Is told of passes.

  def __call__(self, images):
    return self.classify(self.features(images))

  def features(self, images):
    if self.watch is not None:
      images = self.watch(images)
    flat = images.reshape(len(images), -1)
    return jnp.tanh((flat - 0.5) @ self.hidden) @ self.out

  def classify(self, features):
    return SCALE * features / jnp.linalg.norm(features, axis=1, keepdims=True) @ self.text


@struct.dataclass
class Reader:
  """Of a context before class names: their texts, moved by its mean."""

  mixed: jax.Array
  text: jax.Array

  def __call__(self, context):
    moved = jnp.tanh(context.mean(axis=0)) @ self.mixed / 4
    rows = self.text.T + moved[None] * self.text.T**2
    return rows / jnp.linalg.norm(rows, axis=1, keepdims=True)


def prompts():
  return Reader(jnp.asarray(MIXED), jnp.asarray(TEXT)), jnp.asarray(WORDS)


def encoder(**changes):
  return dataclasses.replace(Encoder(*map(jnp.asarray, (HIDDEN, OUT, TEXT))), **changes)


def images(count, seed=0):
  """Float32 [count, 8, 8, 3]; a fifth of the pixels are at the border of the box."""
  draw = np.random.default_rng(seed)
  made = draw.random((count, SIDE, SIDE, 3), np.float32)
  made[draw.random(made.shape) < 0.1] = 0
  made[draw.random(made.shape) < 0.1] = 1
  return made


def counter(passes):
  """An identity that counts what goes through it forward and back, in `passes`."""

  def count(way):
    jax.debug.callback(lambda: passes.update({way: 1}))

  @jax.custom_vjp
  def watched(images):
    count("forward")
    return images

  def forward(images):
    count("forward")
    return images, None

  def backward(_, slope):
    count("backward")
    return (slope,)

  watched.defvjp(forward, backward)
  return watched


# In torch, in double precision, as the papers' code reads.


def _double(array):
  return torch.tensor(np.array(array), dtype=torch.float64)


def features(image):
  return torch.tanh((image.reshape(-1) - 0.5) @ _double(HIDDEN)) @ _double(OUT)


def classify(feature):
  return SCALE * (feature / feature.norm()) @ _double(TEXT)


def logits(image):
  return classify(features(image))


def _gradient(function, at):
  at = at.detach().requires_grad_(True)
  value = function(at)
  (slope,) = torch.autograd.grad(value, at)
  return value.detach(), slope


def ttc(image, start, *, steps=2, step=1 / 255, radius=4 / 255, threshold=0.2, beta=2.0):
  image, delta = _double(image), _double(start)
  first, anchor = delta, features(image)
  deltas, moved = [delta], None
  for _ in range(steps):
    value, slope = _gradient(lambda d: ((features(image + d) - anchor) ** 2).sum(), delta)
    moved = value.sqrt() / anchor.norm() if moved is None else moved
    delta = (delta + step * slope.sign()).clamp(-radius, radius)
    delta = torch.minimum(torch.maximum(delta, -image), 1 - image)
    deltas.append(delta)
  weights = torch.softmax(beta * torch.arange(steps + 1, dtype=torch.float64), 0)
  total = sum(w * d for w, d in zip(weights, deltas, strict=True))
  if steps and moved >= threshold:
    total = first
  return logits(image + total).numpy()


def csr(image, *, steps=3, step=2 / 255, radius=4 / 255, threshold=0.85, frequency=40.0):
  image = _double(image)
  bins = frequency * SIDE / 224
  gain = functools.partial(lambda d, radius: (-(d**2) / (2 * radius**2)).exp(), radius=bins)

  def unit(at):
    found = features(at)
    return found / found.norm()

  low, own = unit(_double(lowpass(image.numpy(), gain))), unit(image)
  if own @ low >= threshold:
    return logits(image).numpy()
  moved, best, most = image, image, -float("inf")
  for number in range(steps + 1):
    value, slope = _gradient(lambda x: unit(x) @ low - unit(x) @ own, moved)
    if value > most:
      best, most = moved, value
    if number < steps:
      delta = (moved + step * slope.sign() - image).clamp(-radius, radius)
      moved = (image + delta).clamp(0, 1)
  return logits(best).numpy()


def hedge(image, start, *, steps, step=4 / 255, radius=8 / 255):
  image, delta = _double(image), _double(start)

  def objective(d):
    z = logits(image + d)
    return sum(torch.nn.functional.cross_entropy(z[None], torch.tensor([c])) for c in range(len(z)))

  for _ in range(steps):
    _, slope = _gradient(objective, delta)
    delta = (delta + step * slope.sign()).clamp(-radius, radius)
    delta = (image + delta).clamp(0, 1) - image
  return logits(image + delta).numpy()


def anti_adversary(image, *, steps=2, step=0.15, official):
  image = _double(image)
  label, delta = logits(image).argmax()[None], torch.zeros_like(image)
  for _ in range(steps):
    _, slope = _gradient(
      lambda d: torch.nn.functional.cross_entropy(logits(image + d)[None], label), delta
    )
    delta = delta - step * slope.sign()
    if not official:
      delta = (image + delta).clamp(0, 1) - image
  return logits(image + delta).numpy()


def et3(image, *, steps=2, step=2.5, radius=5 / 255, norm="linf", temperature=1.0):
  image = _double(image)
  moved = image
  for _ in range(steps):
    _, slope = _gradient(
      lambda x: -temperature * torch.logsumexp(logits(x) / temperature, 0), moved
    )
    moved = (moved - step * slope / slope.norm()).clamp(0, 1)
    delta = moved - image
    if norm == "linf":
      delta = delta.clamp(-radius, radius)
    elif delta.norm() > radius:
      delta = delta * radius / delta.norm()
    moved = image + delta
  return logits(moved).numpy()


def clipure_cos(image, *, steps=10, step=30.0):
  point, blank = features(_double(image)), _double(BLANK)
  point = point / point.norm()
  for _ in range(steps):
    _, slope = _gradient(lambda u: torch.cosine_similarity(u, blank, dim=0), point)
    point = point + step * slope / slope.norm()
    point = point / point.norm()
  return classify(point).numpy()


def rtpt(shown, *, chosen, neighbours, robust, rate=5e-3, decay=0.01, temperature=0.01):
  """Of views, the image first."""
  found = torch.stack([features(_double(view)) for view in shown])
  units = found / found.norm(dim=1, keepdim=True)

  def read(context, some):
    rows = _double(TEXT).T
    rows = rows + torch.tanh(context.mean(0)) @ _double(MIXED) / 4 * rows**2
    return SCALE * some @ (rows / rows.norm(dim=1, keepdim=True)).T

  def entropy(shares):
    return -(shares * shares.log()).sum(-1)

  context = _double(WORDS).requires_grad_(True)
  optimizer = torch.optim.AdamW([context], lr=rate, weight_decay=decay)
  first = entropy(read(context, units).softmax(-1))
  shares = read(context, units[first.argsort()[:chosen]]).softmax(-1)
  (entropy(shares).mean() if robust else entropy(shares.mean(0))).backward()
  optimizer.step()
  answers = read(context.detach(), units)
  if not robust:
    return answers[0].numpy()
  alike = units @ units.T
  alike.fill_diagonal_(-float("inf"))
  nearest = alike.topk(neighbours, dim=1).values.mean(1)
  return ((nearest / temperature).softmax(0) @ answers).numpy()


def dbd(shown, *, chosen, threshold=0.8, strength=2.5):
  """Of views, the image first."""
  found = torch.stack([features(_double(view)) for view in shown])
  units = found / found.norm(dim=1, keepdim=True)
  shares = (SCALE * units[1:] @ _double(TEXT)).softmax(-1)
  certain = units[1:][(-(shares * shares.log()).sum(-1)).argsort()[:chosen]]
  steps = certain - units[0]
  mean = steps.mean(0)
  alike = torch.nn.functional.cosine_similarity(steps, mean[None]).mean()
  moved = units[0] + (strength if alike > threshold else 1.0) * mean
  return (SCALE * moved / moved.norm() @ _double(TEXT)).numpy()


def tte(image, views):
  """`views` are pairs of whether it is mirrored and a corner in an image padded by 1, or None."""
  found = []
  for mirrored, corner in views:
    seen = _double(image)
    if corner is not None:
      padded = torch.zeros((SIDE + 2, SIDE + 2, 3), dtype=torch.float64)
      padded[1:-1, 1:-1] = seen
      seen = padded[corner[0] : corner[0] + SIDE, corner[1] : corner[1] + SIDE]
    found.append(logits(seen.flip(1) if mirrored else seen))
  return torch.stack(found).mean(0).numpy()


def lowpass(image, gain):
  """`gain` of the distance to the centre of the shifted spectrum, in bins."""
  height, width, _ = image.shape
  rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
  distance = ((rows - height // 2) ** 2 + (columns - width // 2) ** 2).double().sqrt()
  channels = []
  for channel in _double(image).unbind(-1):
    spectrum = torch.fft.fftshift(torch.fft.fft2(channel)) * gain(distance)
    channels.append(torch.fft.ifft2(torch.fft.ifftshift(spectrum)).real.clamp(0, 1))
  return torch.stack(channels, -1).numpy()
