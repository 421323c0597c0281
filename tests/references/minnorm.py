"""Minimum-norm attacks in torch, written plainly from their papers and the rules of foolbox.

Images are [B, H, W, 3] in [0, 1]; a model maps them to logits. Each yields the images that it looks
at, one [B, H, W, 3] after another, with their logits.
"""

import math

import jax
import numpy as np
import torch

from references.attacks import cross_entropy, look, margin, project, size

DUAL = {"linf": "l1", "l2": "l2", "l1": "linf"}
ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}


def tiny(ours):
  """The network of the fixture `tiny`."""
  first, second = (torch.tensor(np.asarray(weights)) for weights in ours.args[0])

  def forward(images):
    hidden = torch.nn.functional.gelu(images.flatten(1) @ first - 1, approximate="tanh")
    return np.sqrt(0.5) * hidden @ second

  return forward


def two_classes(linear, norm):
  """Of the fixture `linear`: a classifier, images [16, 4, 4, 3], labels, distances to the boundary.

  It passes through grey, and the images are so near it that the box is far enough away.
  """
  classifier = jax.tree_util.Partial(
    lambda w, x: (x - 0.5).reshape(len(x), -1) @ w, linear.args[0][:, :2]
  )
  images = 0.4 + 0.2 * np.random.default_rng(0).random((16, 4, 4, 3), np.float32)
  logits = np.asarray(classifier(images), np.float64)
  direction = np.asarray(linear.args[0][:, 0] - linear.args[0][:, 1], np.float64)
  distances = np.abs(logits[:, 0] - logits[:, 1]) / np.linalg.norm(direction, ORDERS[DUAL[norm]])
  return classifier, images, logits.argmax(axis=1).astype(np.int32), distances


def assert_same(ours, theirs, tolerance):
  """At four of five examples: at the very boundary, rounding says on which side an image is."""
  ours, theirs = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (ours, theirs))
  assert np.quantile(np.abs(ours - theirs).max(axis=1), 0.8) < tolerance


def smallest(seen, clean, labels, norm):
  """Distance [B] of the nearest image seen that fools; infinite where none does."""
  best = torch.full((len(clean),), torch.inf)
  for images, logits in seen:
    found = torch.where(logits.argmax(dim=1) != labels, size(images - clean, norm), torch.inf)
    best = torch.minimum(best, found)
  return best


def second_is_not_nearest(norm):
  """A classifier, images [8, 4, 4, 3], labels, distances to the boundary, to that of the second.

  Of three classes, the second rises slowly, and the third, nearer but lower, fast.
  """
  draw = np.random.default_rng(0)
  weights = np.linalg.qr(draw.normal(size=(48, 2)))[0] * [1, 4]
  weights = np.concatenate([np.zeros((48, 1)), weights], axis=1).astype(np.float32)
  bias = np.array([0, -0.1, -0.15], np.float32)
  classifier = jax.tree_util.Partial(
    lambda p, x: (x - 0.5).reshape(len(x), -1) @ p[0] + p[1][None], (weights, bias)
  )
  images = 0.5 + 0.002 * draw.normal(size=(8, 4, 4, 3)).astype(np.float32)
  logits = np.asarray(classifier(images), np.float64)
  gaps = (logits[:, :1] - logits)[:, 1:]
  distances = gaps / np.linalg.norm(weights[:, 1:], ORDERS[DUAL[norm]], axis=0)
  return classifier, images, np.zeros(8, np.int32), distances.min(axis=1), distances[:, 0]


def deepfool(
  model, clean, labels, *, norm="linf", steps=50, candidates=10, overshoot=0.02, again=False
):
  """The whole batch takes steps until all of it is fooled; each takes `candidates` - 1 gradients.

  `again` repeats the forward pass for each of them, as foolbox does.
  """
  x, total, order = clean, torch.zeros_like(clean), None
  for step in range(steps + 1):
    images = x.detach().requires_grad_()
    logits = model(images)
    yield x, logits.detach()
    across = logits.argmax(dim=1) != labels
    if step == steps or across.all():
      return
    if order is None:
      order = logits.argsort(dim=1, descending=True)[:, :candidates]
    nearest, steepest = torch.full((len(x),), torch.inf), torch.zeros_like(x)
    for other in order.T[1:]:
      logits = model(images) if again else logits
      gaps = (logits.gather(1, other[:, None]) - logits.gather(1, order[:, :1]))[:, 0]
      (slope,) = torch.autograd.grad(gaps.sum(), images, retain_graph=True)
      distance = gaps.detach().abs() / size(slope, DUAL[norm])
      closer = distance < nearest
      nearest = torch.where(closer, distance, nearest)
      steepest = torch.where(_wide(closer), slope, steepest)
    direction = steepest.sign() if norm == "linf" else steepest / _wide(size(steepest, "l2"))
    moved = total + _wide(nearest + 1e-4) * direction
    total = torch.where(_wide(across), total, moved)
    x = (clean + (1 + overshoot) * total).clamp(0, 1)


def ddn(model, clean, labels, *, steps=100, radius=1.0, gamma=0.05):
  x, radii = clean, torch.full((len(clean),), radius)
  farthest = size(torch.maximum(clean, 1 - clean), "l2")
  for i in range(steps):
    _, gradient, logits = look(model, x, labels, cross_entropy)
    yield x, logits
    across = logits.argmax(dim=1) != labels
    moved = x - clean + _cosine(i / steps, 1.0, 0.01) * gradient / _wide(size(gradient, "l2"))
    radii = torch.minimum(radii * torch.where(across, 1 - gamma, 1 + gamma), farthest)
    x = (clean + _wide(radii) * moved / _wide(size(moved, "l2"))).clamp(0, 1)


def fmn(model, clean, labels, *, norm="linf", steps=100, stride=1.0, gamma=0.05):
  """Until something has fooled, the ball grows from the boundary, if that is farther off.

  From then on the largest logit is a smooth maximum. The rest is algorithm 1 of the paper.
  """
  x, radii, lead = clean, torch.zeros(len(clean)), None
  best = torch.full((len(clean),), torch.inf)
  farthest = size(torch.maximum(clean, 1 - clean), norm)
  for i in range(steps):
    images = x.detach().requires_grad_()
    logits = model(images)
    gaps = margin(logits, labels)
    lead = -gaps.detach() if lead is None else lead
    warmth = (lead * _cosine(i / steps, 1.0, 0.0) ** 8).clamp(min=1e-30)[:, None]
    smooth = warmth[:, 0] * _log_odds(logits / warmth, labels)
    (gradient,) = torch.autograd.grad(torch.where(best.isfinite(), smooth, gaps).sum(), images)
    yield x, logits.detach()
    across = logits.argmax(dim=1) != labels
    sizes = size(x - clean, norm)
    best = torch.where(across, torch.minimum(best, sizes), best)
    share = _cosine(i / steps, gamma, 0.001)
    boundary = sizes + gaps.detach().abs() / size(gradient, DUAL[norm])
    grown = torch.where(best.isfinite(), radii, torch.maximum(radii, boundary)) * (1 + share)
    radii = torch.where(across, torch.minimum(radii * (1 - share), best), grown)
    radii = torch.minimum(radii, farthest)
    moved = x + _cosine(i / steps, stride, stride / 100) * gradient / _wide(size(gradient, "l2"))
    x = _inside(clean, moved, radii, norm)


def _log_odds(logits, labels):
  others = logits.scatter(1, labels[:, None], -torch.inf)
  return others.logsumexp(dim=1) - logits.gather(1, labels[:, None])[:, 0]


def ead(model, clean, labels, *, constant, steps=100, rate=0.01, beta=0.01, confidence=0.0):
  """One search; an example stays where a tenth of the steps has not lowered its objective."""
  x = ahead = clean
  stuck, last = torch.zeros(len(clean), dtype=torch.bool), torch.full((len(clean),), torch.inf)
  for k in range(steps):
    images = ahead.detach().requires_grad_()
    missing = (confidence - margin(model(images), labels)).clamp(min=0)
    objective = constant * missing + ((images - clean) ** 2).flatten(1).sum(dim=1)
    (gradient,) = torch.autograd.grad(objective.sum(), images)
    change = ahead - rate * math.sqrt(1 - k / steps) * gradient - clean
    shrunk = change.sign() * torch.relu(change.abs() - beta)
    before, x = x, torch.where(_wide(stuck), x, (clean + shrunk).clamp(0, 1))
    ahead = x + k / (k + 3) * (x - before)
    with torch.no_grad():
      yield x, model(x)
    if k % math.ceil(steps / 10) == 0:
      objective = objective.detach()
      stuck, last = stuck | (objective > 0.9999 * last), objective


def _cosine(part, first, last):
  return last + (first - last) * (1 + math.cos(math.pi * part)) / 2


def _inside(clean, images, radii, norm):
  """Each into its own ball."""
  rows = zip(clean, images, radii, strict=True)
  return torch.cat([project(c[None], x[None], radius, norm) for c, x, radius in rows])


def _wide(values):
  return values.view(-1, 1, 1, 1)
