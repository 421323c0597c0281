"""Runs on probes: options of an encoder, clean and attacked, and the page that tells of them."""

import dataclasses
import runpy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from references import checkpoints, command, probes

from jaxbench import config, data, metrics, models, plan, records, report
from jaxbench.evaluate import runner


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
  """Names of three probes."""
  root = tmp_path_factory.mktemp("sets")
  images = str(probes.images(root / "images"))
  files = {
    "sugarcrepe": probes.sugarcrepe(root / "sugarcrepe"),
    "winoground": probes.winoground(root / "examples.jsonl"),
    "order": probes.shuffled(root / "order.json"),
  }
  return {name: f"{file}(images={images!r})" for name, file in files.items()}


@pytest.fixture(scope="module")
def run(model, sets, tmp_path_factory):
  patch = pytest.MonkeyPatch()
  patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("xdg")))
  settings = config.checked(
    config.Config(
      models=(model,),
      data=tuple(sets.values()),
      perturbed=(sets["sugarcrepe"],),
      corruptions=config.Corruptions(names=("contrast",), severities=(5,), sequences=("tilt",)),
      attacks=config.Attacks(names=("pgd(steps=4)",), epsilons=(0.0, 16 / 255), transfer=("fgsm",)),
      typography=("text(size=0.25)",),
      slots=2,
      block=4,
    )
  )
  made = plan.make(settings)
  workdir = tmp_path_factory.mktemp("probes") / "run"
  runner.run(settings, made, workdir, quiet=True)
  patch.undo()
  return workdir, made


def _logits(network, probe, preprocess):
  """Of all cases with all sentences, by transformers: [N, T]."""
  processor = checkpoints.CLIP_PROCESSOR
  pixels = np.stack([preprocess(probe[row].image) for row in range(len(probe))])
  mean, std = (np.array(processor[key], np.float32) for key in ("image_mean", "image_std"))
  standard = torch.tensor((pixels / np.float32(255) - mean) / std).permute(0, 3, 1, 2)
  tokens = torch.tensor(np.asarray(models.tokenize(list(probe.space.captions)))).long()
  with torch.no_grad():
    return network(input_ids=tokens, pixel_values=standard).logits_per_image.numpy()


@pytest.mark.parametrize("name", ["sugarcrepe", "winoground", "order"])
def test_options_are_scored_as_transformers_scores_them(name, run, sets, network, model):
  workdir, _ = run
  probe = data.load(sets[name])
  clip = models.load(model)
  logits, scale = _logits(network, probe, clip.preprocess), float(clip.logit_scale)
  rows = [row for row in records.read(workdir).to_pylist() if row["data"] == sets[name]]
  clean = {row["example"]: row for row in rows if row["perturbation"] == "clean"}
  assert set(clean) == set(probe.ids)
  for case, (example, options) in enumerate(zip(probe.ids, probe.space.options, strict=True)):
    row, expected = clean[example], logits[case, list(options)]
    np.testing.assert_allclose(row["scores"], expected, atol=1e-3)
    lead = expected[1:] - expected[0]
    assert row["rank"] == (lead > 1e-4).sum()
    assert row["margin"] == pytest.approx(lead.max() / scale, abs=1e-5)
    assert row["tied"] == (np.abs(lead) <= 1e-4).sum()
    lost = row["rank"] > 0 or (row["tied"] > 0 and name != "order")
    assert (row["label"], row["prediction"]) == (0, int(lost))
  if name == "order":  # A shuffle that changes nothing.
    assert all(row["tied"] >= 1 for row in clean.values())


def test_an_attack_makes_wrong_options_lead(run, sets):
  workdir, _ = run
  rows = [row for row in records.read(workdir).to_pylist() if row["data"] == sets["sugarcrepe"]]
  clean = {row["example"]: row for row in rows if row["perturbation"] == "clean"}
  right = {name for name, row in clean.items() if row["prediction"] == 0}
  assert right
  attacked = [row for row in rows if row["perturbation"].startswith("pgd")]
  assert len(attacked) == 2 * len(clean)
  for row in attacked:
    before = clean[row["example"]]
    assert row["prediction"] == int(row["success"])
    assert row["success"] == (row["rank"] + row["tied"] > 0)
    assert row["distance"] <= row["epsilon"] * (1 + 1e-6)
    if row["example"] not in right:
      assert (row["steps"], row["scores"]) == (0, before["scores"])
    if row["epsilon"] == 0:
      np.testing.assert_allclose(row["scores"], before["scores"], atol=1e-4)
  assert any(row["success"] for row in attacked if row["example"] in right)
  corrupted = [row for row in rows if row["perturbation"] == "contrast"]
  assert len(corrupted) == len(clean)


def test_images_are_made_on_one_model_and_judged_by_another(run, sets, model):
  """Also of cases that are wrong as they are: the step of fgsm on the lead of the wrong option."""
  workdir, _ = run
  rows = [row for row in records.read(workdir).to_pylist() if row["data"] == sets["sugarcrepe"]]
  probe, clip = data.load(sets["sugarcrepe"]), models.load(model)
  classifier = models.zero_shot(clip, list(probe.space.captions), ["{}"])
  images = np.stack([clip.preprocess(probe[row].image) for row in range(len(probe))])
  images, options = images.astype(np.float32) / 255, np.array(probe.space.options)

  def leads(images):
    scores = jnp.take_along_axis(classifier(images), jnp.asarray(options), axis=1)
    return (scores[:, 1:].max(axis=1) - scores[:, 0]).sum()

  slope = np.asarray(jax.jit(jax.grad(leads))(jnp.asarray(images)))
  for epsilon in (0.0, 16 / 255):
    moved = np.clip(images + epsilon * np.sign(slope), 0, 1).astype(np.float32)
    expected = np.take_along_axis(
      np.asarray(jax.jit(lambda images: classifier(images))(moved)), options, axis=1
    )
    found = [row for row in rows if row["perturbation"].startswith("transfer(fgsm")]
    found = {row["example"]: row for row in found if row["epsilon"] == epsilon}
    assert set(found) == set(probe.ids)
    for example, scores in zip(probe.ids, expected, strict=True):
      row = found[example]
      np.testing.assert_allclose(row["scores"], scores, atol=0.02)
      assert row["success"] == (row["prediction"] == 1) == (row["rank"] + row["tied"] > 0)


def test_what_needs_classes_is_absent(run, sets):
  _, made = run
  reasons = {one.what: one.reason for one in made.absent}
  assert set(reasons.values()) == {"its images have captions, no classes"}
  assert len(reasons) == 2
  perturbations = {cell.perturbation.kind for cell in made.cells}
  assert perturbations == {"clean", "corruption", "attack", "transfer"}


def test_the_config_asks_for_them(model, sets):
  settings = runpy.run_path(str(command.ROOT / "configs/probes.py"))["get_config"]("tiny")
  changes = {"models": (model,), "data": (sets["sugarcrepe"],)}
  made = plan.make(config.checked(dataclasses.replace(settings, **changes)))
  assert [cell.perturbation.kind for cell in made.cells] == ["clean", "attack"]
  assert {cell.examples for cell in made.cells} == {3}


def test_the_page_tells_of_probes(run, sets):
  workdir, _ = run
  report.write([workdir], workdir / "report.html")
  page = (workdir / "report.html").read_text()
  assert "Composition: are right sentences preferred" in page
  assert page.count("<tr data-probe=") == 3 + 5
  assert "data-natural" not in page
  by_set = {
    found.data: found for found in metrics.probes(records.read(workdir)) if not found.epsilon
  }
  assert by_set[sets["winoground"]].pairs is not None
  assert set(by_set[sets["sugarcrepe"]].by_kind) == {"add_att", "swap_obj"}
