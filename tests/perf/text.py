"""Charmer's candidates a second: ours against the authors' loop in torch, on the same weights.

Command: python tests/perf/text.py [--sentences 16]
A text tower of ViT-B/32's size with random weights; one edit at 20 positions; sentences of some 60
characters. The authors' loop takes one sentence at a time, makes strings, tokenises them (here as
we do), and encodes all 77 positions in batches of 256. One sentence is
attacked by ours, and one batch read by torch, before the clock starts.
"""

import argparse
import pathlib
import tempfile
import time

import jax
import numpy as np
import torch
import transformers as hf

from jaxbench import attacks, devices, models
from jaxbench.attacks.text import edits
from jaxbench.models.encoders import tokenizer
from jaxbench.telemetry import clock

N, BATCH = 20, 256
SENTENCE = "a photograph of {} people who walk along the beach at {} o'clock"


def _network(folder):
  torch.manual_seed(0)
  vision = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1}
  config = hf.CLIPConfig(
    text_config={},  # Of ViT-B/32.
    vision_config={**vision, "intermediate_size": 64, "image_size": 32, "patch_size": 16},
    projection_dim=512,
  )
  network = hf.CLIPModel(config).eval()
  network.save_pretrained(folder)
  (folder / "preprocessor_config.json").write_text(
    '{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 3, "size": 32,'
    ' "crop_size": 32, "do_center_crop": true, "do_normalize": true}'
  )
  return network


@torch.no_grad()
def _features(network, texts):
  parts = [
    network.get_text_features(torch.from_numpy(tokenizer.tokenize(texts[i : i + BATCH])).long())
    for i in range(0, len(texts), BATCH)
  ]
  parts = [getattr(part, "pooler_output", part) for part in parts]
  return torch.cat(parts)


def _torch(network, sentence, anchor):
  """The loop over one sentence: candidates, and the best."""
  probes = [edits.write(sentence, at, " ", deletes=True) for at in edits.positions(sentence)]
  scores = ((_features(network, probes) - anchor) ** 2).sum(dim=1)
  best = scores.argsort(descending=True, stable=True)[:N].sort().values.tolist()
  tried = [
    edits.write(sentence, at, letter) for at in best for letter in ("", *attacks.text.PRINTABLE)
  ]
  scores = ((_features(network, tried) - anchor) ** 2).sum(dim=1)
  return len(probes) + len(tried), tried[int(scores.argmax())]


def main() -> None:
  """Prints the table."""
  parser = argparse.ArgumentParser()
  parser.add_argument("--sentences", type=int, default=16)
  count = parser.parse_args().sentences
  devices.use_all_cores()
  sentences = [SENTENCE.format(3 + number, 1 + number % 12) for number in range(count + 1)]
  with tempfile.TemporaryDirectory() as name:
    network = _network(pathlib.Path(name))
    clip = models.load(name)
  encoder = jax.tree_util.Partial(lambda model, tokens: model.encode_text(tokens), clip)
  anchors = _features(network, sentences)
  attack = attacks.text.charmer(n=N, objective="l2")

  def ours(some):
    return attacks.text.run(
      attack, encoder, clip.tokenize, sentences[some], anchors.numpy()[some], lengths=clip.lengths
    )

  ours(slice(0, 1))
  _features(network, sentences)
  waited = clock.spent()["device"]
  found, mine = _timed(lambda: ours(slice(1, None)))
  waited = clock.spent()["device"] - waited
  pairs = list(zip(sentences[1:], anchors[1:], strict=True))
  loop, theirs = _timed(lambda: [_torch(network, *each) for each in pairs])
  made = sum(number for number, _ in loop)
  same = np.mean([one == other for one, (_, other) in zip(found.texts, loop, strict=True)])
  print(f"{count} sentences, {made:,} candidates, {found.candidates.sum():,} of different tokens")
  print(f"{'':8}{'candidates/s':>14}{'CPU s':>10}")
  for name, (seconds, busy) in {"torch": theirs, "ours": mine}.items():
    print(f"{name:8}{made / seconds:14,.0f}{busy:10,.1f}")
  ratios = f"{theirs[0] / mine[0]:.2f} of time, {theirs[1] / mine[1]:.2f} of CPU time"
  print(
    f"ratio {ratios}; the same sentence in {same:.0%}; the device's share {waited / mine[0]:.0%}"
  )


def _timed(function):
  """What it gives, and the seconds by the clock and of the process."""
  begun = time.monotonic(), time.process_time()
  result = function()
  return result, (time.monotonic() - begun[0], time.process_time() - begun[1])


if __name__ == "__main__":
  main()
