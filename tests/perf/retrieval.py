"""Ranks of 5,000 images among 25,010 captions, ours against numpy and torch.

Command: python tests/perf/retrieval.py [--dimensions 512]
Each sees the same unit embeddings; one run before the clock starts; medians of three.

- numpy: the similarities of all, argsort, where the first own caption is.
- torch: the similarities of all, topk of 10, whether an own one is among them (CLIP_benchmark).
- torch in blocks: the same, as many queries at a time as ours.
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
  captions = images[owners] + 4 * draw.normal(size=(CAPTIONS, dimensions)).astype(np.float32)
  unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (images, captions)]
  return *unit, owners.astype(np.int32)


def _numpy(images, captions, owners):
  order = np.argsort(-(images @ captions.T), axis=1)
  return (owners[order] == np.arange(IMAGES)[:, None]).argmax(axis=1)


def _torch(images, captions, owners, size):
  images, captions, owners = map(torch.from_numpy, (images, captions, owners))
  places = torch.arange(IMAGES)[:, None]
  hits = [
    owners[torch.topk(images[start : start + size] @ captions.T, 10).indices]
    == places[start : start + size]
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
  once, hits = _timed(lambda: _torch(*world, IMAGES))
  rows = retrieval.ROWS * devices.mesh().size
  blocks, _ = _timed(lambda: _torch(*world, rows))
  for k in (1, 5, 10):
    recalls = [(found.rank < k).mean(), (ranks < k).mean(), hits[:, :k].any(axis=1).mean()]
    print(f"R@{k}: ours {recalls[0]:.4f}, numpy {recalls[1]:.4f}, torch {recalls[2]:.4f}")
  block, full = 4e-6 * rows * CAPTIONS, 4e-6 * IMAGES * CAPTIONS
  print(f"ours            {ours:6.2f} s, {block:.0f} MB of similarities at a time")
  print(f"numpy           {whole:6.2f} s, {full:.0f} MB: {whole / ours:.1f} times as long")
  print(f"torch           {once:6.2f} s, {full:.0f} MB: {once / ours:.1f} times as long")
  print(f"torch in blocks {blocks:6.2f} s, {block:.0f} MB: {blocks / ours:.1f} times as long")


if __name__ == "__main__":
  main()
