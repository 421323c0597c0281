"""Ranks of 5,000 images among 25,010 captions, ours against numpy and torch.

Command: python tests/perf/retrieval.py [--dimensions 512]
Each sees the same unit embeddings; one run before the clock starts; medians of three.

- numpy: all similarities at once, argsort, where the first own caption is (SGA, big_vision).
- CLIP_benchmark: all at once, then by 64 queries and for each k topk, one-hot, times the pairs.
- topk: by as many queries at a time as ours, topk of 10 once, whether an own one is among them: the
  least that torch can do, and no rank.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from jaxbench import devices, retrieval

IMAGES, CAPTIONS = 5_000, 25_010


def _world(dimensions):
  draw = np.random.default_rng(0)
  owners = np.sort(np.concatenate([np.arange(IMAGES), draw.integers(0, IMAGES, CAPTIONS - IMAGES)]))
  images = draw.normal(size=(IMAGES, dimensions)).astype(np.float32)
  captions = images[owners] + 16 * draw.normal(size=(CAPTIONS, dimensions)).astype(np.float32)
  unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (images, captions)]
  return *unit, owners.astype(np.int32)


def _numpy(images, captions, owners):
  order = np.argsort(-(images @ captions.T), axis=1)
  return (owners[order] == np.arange(IMAGES)[:, None]).argmax(axis=1)


def _clip_benchmark(images, captions, owners):
  """Its loop, of which the pairs alone are [5,000, 25,010] booleans."""
  scores = torch.from_numpy(images) @ torch.from_numpy(captions).T
  pairs = torch.from_numpy(owners)[None] == torch.arange(IMAGES)[:, None]
  recalls = []
  for k in (1, 5, 10):
    hits = []
    for start in range(0, IMAGES, 64):
      some = slice(start, start + 64)
      top = torch.topk(scores[some], k, dim=1).indices
      chosen = torch.nn.functional.one_hot(top, num_classes=CAPTIONS)
      hits.append((chosen * pairs[some][:, None]).sum(dim=(1, 2)) > 0)
    recalls.append(torch.cat(hits).float().mean().item())
  return recalls


def _topk(images, captions, owners, size):
  images, captions, owners = map(torch.from_numpy, (images, captions, owners))
  hits = [
    owners[torch.topk(images[start : start + size] @ captions.T, 10).indices]
    == torch.arange(start, min(start + size, IMAGES))[:, None]
    for start in range(0, IMAGES, size)
  ]
  return torch.cat(hits).numpy()


def _timed(run):
  run()
  seconds = []
  for _ in range(3):
    before = time.perf_counter()
    found = run()
    seconds.append(time.perf_counter() - before)
  return statistics.median(seconds), found


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--dimensions", type=int, default=512)
  world = _world(parser.parse_args().dimensions)
  images, captions, owners = world
  devices.use_all_cores()
  ours, found = _timed(lambda: retrieval.ranks(images, np.arange(IMAGES), captions, owners))
  whole, ranks = _timed(lambda: _numpy(*world))
  loop, theirs = _timed(lambda: _clip_benchmark(*world))
  rows = retrieval.ROWS * devices.mesh().size
  least, hits = _timed(lambda: _topk(*world, rows))
  for place, k in enumerate((1, 5, 10)):
    recalls = [(found.rank < k).mean(), (ranks < k).mean(), theirs[place]]
    recalls.append(hits[:, :k].any(axis=1).mean())
    print(f"R@{k}:", ", ".join(f"{share:.4f}" for share in recalls))
  print(f"ours           {ours:6.2f} s, {4e-6 * rows * CAPTIONS:.0f} MB of similarities at a time")
  for name, seconds in (("numpy", whole), ("CLIP_benchmark", loop), ("topk", least)):
    print(f"{name:14} {seconds:6.2f} s: {seconds / ours:.1f} times as long")


if __name__ == "__main__":
  main()
