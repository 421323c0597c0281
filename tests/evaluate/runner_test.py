"""The runner in this process: order, views, and models that cannot be judged."""

import itertools
import json
import pathlib
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from flax import nnx
from PIL import Image
from references import checkpoints, packing

from jaxbench import attacks, config, data, devices, errors, metrics, models, plan, records, report
from jaxbench.attacks.engine import batching
from jaxbench.evaluate import evaluator, runner
from jaxbench.plan.perturbations import sequence
from jaxbench.records import logs

CORRUPTIONS = config.Corruptions(names=("gaussian_noise",), severities=(3,))
ATTACKS = config.Attacks(names=("pgd(steps=2)",), epsilons=(4 / 255,))


def _run(workdir: pathlib.Path, cache: pathlib.Path | None = None, profile=None, **changes):
  settings = {"models": ("digits-resnet",), "data": ("digits",), "limit": 24, "slots": 2}
  settings |= {"corruptions": CORRUPTIONS, "attacks": ATTACKS, "block": 16, **changes}
  checked = config.checked(config.Config(**settings))
  runner.run(checked, plan.make(checked), workdir, cache=cache, profile=profile)
  return records.read(workdir)


class _Shuffled(data.Digits):
  """The same scans in another order."""

  def __init__(self):
    super().__init__()
    order = np.random.default_rng(0).permutation(len(self))
    self._rows = [self._rows[i] for i in order]
    self.ids = [self.ids[i] for i in order]
    self.labels = [self.labels[i] for i in order]


@pytest.mark.slow
def test_the_order_of_the_data_changes_nothing(tmp_path, monkeypatch):
  expected = _run(tmp_path / "one")
  monkeypatch.setitem(data.DATA_SETS, "digits", _Shuffled)
  assert _run(tmp_path / "two").equals(expected)


@pytest.mark.slow
def test_slots_are_counted_over_all_data_sets_of_a_run(tmp_path):
  changes = {"data": ("digits", "digits-printed"), "perturbed": ("digits",), "limit": 16}
  _run(tmp_path / "run", slots=3, **changes)  # More slots than examples.
  attacked, looked_at = logs.read(tmp_path / "run")
  assert (attacked["data"], looked_at["data"]) == ("digits", "digits-printed")
  assert attacked["occupancy"] < 1
  assert looked_at["occupancy"] == attacked["occupancy"]


@pytest.mark.slow
def test_a_larger_sample_repeats_the_rows_of_a_smaller_one(tmp_path):
  small, large = _run(tmp_path / "small", limit=16), _run(tmp_path / "large", limit=40)
  examples = set(small["example"].to_pylist())
  kept = large.filter([example in examples for example in large["example"].to_pylist()])
  assert kept.drop(["picture"]).equals(small.drop(["picture"]))


@pytest.mark.slow
def test_noise_differs_between_examples_and_is_shared_by_models(tmp_path):
  rows = _run(tmp_path / "run", models=("digits-resnet", "digits-clip"), gallery=3).to_pylist()
  noisy = [row for row in rows if row["perturbation"] == "gaussian_noise" and row["picture"]]
  pictures = {}
  for row in noisy:
    pictures.setdefault(row["example"], set()).add(row["picture"])
  assert len(noisy) == 6
  assert [len(found) for found in pictures.values()] == [1, 1, 1]


def _save(folder, size, edit=lambda model: None):
  shape = models.ResNetConfig(
    depths=(1,), width=4, num_classes=10, preprocess=models.Preprocess(size)
  )
  model = models.ResNet(shape, rngs=nnx.Rngs(0))
  edit(model)
  models.save(model, folder, "a test")
  return str(folder)


@pytest.mark.slow
def test_models_of_different_input_sizes_see_the_same_examples(tmp_path):
  small = _save(tmp_path / "small", 16)
  rows = _run(tmp_path / "run", models=("digits-resnet", small))
  pairs = {(row["model"], row["example"]) for row in rows.to_pylist()}
  assert len(pairs) == 2 * 24
  assert rows.num_rows == 3 * 2 * 24


def test_logits_that_are_not_numbers_count_against_the_model(tmp_path):
  """In every cell, in the report and apart from what is misclassified."""

  def spoil(model):
    model.fc.bias[...] = jnp.full(10, jnp.nan)

  broken = _save(tmp_path / "broken", 32, spoil)
  rows = _run(tmp_path / "run", models=("digits-resnet", broken))
  own = rows.filter(records.is_value(rows["model"], broken))
  assert len(own) == len(rows) // 2
  assert set(own["prediction"].to_pylist()) == set(own["clean_prediction"].to_pylist()) == {-1}
  summary = metrics.summarize(rows).to_pylist()
  for cell in summary:
    assert cell["not_finite"] == (cell["examples"] if cell["model"] == broken else 0)
    if cell["model"] == broken:
      assert cell["accuracy"] == 0
      assert cell["top_5_accuracy"] in (0, None)
      assert cell["calibration_error"] in (1, None)
  report.write([tmp_path / "run"], tmp_path / "report.html")
  doubt = "clean: logits are not finite on 24 of 24 examples"
  assert any(line.startswith(doubt) for line in report.doubtful(tmp_path / "run"))
  assert "logits are not finite on 24 of 24" in (tmp_path / "report.html").read_text()


def test_rows_of_an_older_version_are_read(tmp_path):
  """They lack the column of refuted claims; the run goes on beside them."""
  expected = _run(tmp_path / "run")
  for part in (tmp_path / "run" / "records").iterdir():
    pq.write_table(pq.read_table(part).drop_columns(["refuted"]), part)
  found = records.read(tmp_path / "run")
  assert found["refuted"].null_count == len(found)
  assert found.drop_columns(["refuted"]).equals(expected.drop_columns(["refuted"]))
  assert _run(tmp_path / "run").equals(found)


def test_records_of_attacks_agree_with_attacking_directly(tmp_path, scans):
  """The runner's numbers against a plain forward pass on the pictures' own examples."""
  rows = _run(tmp_path / "run").to_pylist()
  model = models.load("digits-resnet")
  source = data.load("digits")
  images, _ = scans
  clean = np.argmax(jax.jit(lambda m, x: m(x))(model, images), axis=1)
  for row in rows:
    index = source.ids.index(row["example"])
    assert row["label"] == source[index].label
    assert row["clean_prediction"] == clean[index]
    if row["perturbation"] == "clean":
      assert row["prediction"] == clean[index]
    if row["epsilon"] is not None:
      assert row["distance"] <= row["epsilon"] + 1e-6
      assert row["success"] == (row["prediction"] != row["label"])
      right = row["clean_prediction"] == row["label"]
      assert row["forwards"] == (row["steps"] + 2 if right else 1)
      assert row["found_by"] == ("attack" if right and row["success"] else None)


@pytest.mark.slow
def test_at_the_bound_a_bisection_and_the_attack_itself_agree(tmp_path):
  """In the rows, their summary and the curve."""
  asked = config.Attacks(
    names=("bim(steps=3)",), smallest=("bim(steps=3)",), epsilons=(2 / 255, 16 / 255)
  )
  rows = _run(tmp_path / "run", attacks=asked, models=("digits-clip-robust",))
  summary = {
    (row["perturbation"], row["epsilon"]): row for row in metrics.summarize(rows).to_pylist()
  }
  plain, found = (summary[name, 16 / 255] for name in ("bim(steps=3)", "smallest(bim(steps=3))"))
  smallest = metrics.smallest_epsilons(rows, found["cell"])
  (curve,) = metrics.robust_accuracy(smallest, [16 / 255])
  (distribution,) = metrics.summarize_smallest(rows).to_pylist()
  assert 0 < plain["accuracy"] < 1
  assert plain["accuracy"] == found["accuracy"] == curve == distribution["withstand"]
  attacked = rows.filter(pc.is_valid(rows["success"]))
  wrong = pc.not_equal(attacked["prediction"], attacked["label"])
  assert attacked["success"].equals(wrong)


@pytest.mark.slow
def test_smallest_epsilons_are_those_of_a_notebook(tmp_path):
  searching = config.Attacks(smallest=("pgd(steps=3)",), epsilons=(4 / 255, 32 / 255))
  changes = {"models": ("digits-clip",), "corruptions": config.Corruptions(), "attacks": searching}
  rows = [row for row in _run(tmp_path / "run", **changes).to_pylist() if row["tolerance"]]
  assert len(rows) == 24
  source = data.load("digits")
  indices = [source.ids.index(row["example"]) for row in rows]
  images, labels = data.load_images(source, indices, models.Preprocess(32))
  classifier = models.zero_shot(
    models.load("digits-clip"), source.class_names, models.templates("simple")
  )
  found = attacks.minimal_epsilon(
    attacks.pgd(steps=3),
    classifier,
    images.astype(np.float32) / 255,
    labels,
    32 / 255,
    key=jax.random.key(0),
    slots=2,
  )
  mine = np.array([row["distance"] for row in rows])
  np.testing.assert_array_equal(np.isfinite(mine), [row["success"] for row in rows])
  assert np.median(mine) == pytest.approx(np.median(found), rel=0.1)  # Other random starts.
  assert {row["epsilon"] for row in rows} == {32 / 255}


def test_words_on_images_are_shared_by_models_unless_they_depend_on_them(tmp_path):
  texts = ("text(size=0.3)", "text(target='second', size=0.3)", "imagenet_t")
  changes = {"models": ("digits-clip", "digits-resnet"), "typography": texts, "gallery": 24}
  empty = {"corruptions": config.Corruptions(), "attacks": config.Attacks()}
  rows = _run(tmp_path / "run", **changes, **empty).to_pylist()
  pictures = {text: {} for text in texts}
  for row in rows:
    if row["perturbation"] == "clean":
      assert row["target"] is None
      continue
    assert row["target"] != row["label"]
    pictures[row["perturbation"]].setdefault(row["example"], set()).add(row["picture"])
  assert [len(found) for found in pictures[texts[0]].values()] == [1] * 24
  assert max(len(found) for found in pictures[texts[1]].values()) == 2
  (reason,) = {one["reason"] for one in records.load_run(tmp_path / "run")["absent"]}
  assert reason.startswith("cannot write 'stingray'")
  assert not pictures["imagenet_t"]
  report.write([tmp_path / "run"], tmp_path / "report.html")
  assert "cannot write &#39;stingray&#39;" in (tmp_path / "report.html").read_text()
  mine = [row for row in rows if (row["model"], row["perturbation"]) == ("digits-clip", texts[0])]
  share = np.mean([row["prediction"] == row["target"] for row in mine])
  found = {
    row["cell"]: row for row in metrics.summarize(records.read(tmp_path / "run")).to_pylist()
  }
  assert found[mine[0]["cell"]]["followed"] == share


def test_an_interrupt_outside_the_main_thread_is_left_to_others(tmp_path):
  failures = []

  def work():
    try:
      _run(tmp_path / "run", limit=4, attacks=config.Attacks())
    except BaseException as error:
      failures.append(error)

  thread = threading.Thread(target=work)
  thread.start()
  thread.join()
  assert not failures


def test_a_batch_is_read_when_the_next_is_under_way(tmp_path, monkeypatch):
  """So that a device has work while the host reads; of frames too."""
  events, predict, logits = [], evaluator.prediction(False), sequence._logits()

  def told(event, function):
    return lambda *arguments: events.append(event) or function(*arguments)

  monkeypatch.setattr(evaluator, "prediction", lambda _: told("tell", predict))
  monkeypatch.setattr(sequence, "_logits", lambda: told("frame", logits))
  monkeypatch.setattr(devices, "fetch", told("read", devices.fetch))
  frames = config.Corruptions(sequences=("tilt",))
  empty = {"attacks": config.Attacks(), "gallery": 0}
  _run(tmp_path / "run", limit=24, block=24, slots=1, corruptions=frames, **empty)
  clean, moved = events[:6], [event for event, _ in itertools.groupby(events[6:])]
  assert clean == ["tell", "tell", "read", "tell", "read", "read"]  # Three batches of 8 devices.
  assert events.count("frame") == 3 * 31
  assert events[6 : 6 + 62] == ["frame"] * 62
  assert moved == ["frame", "read", "frame", "read"]


@pytest.mark.parametrize("gallery", [0, 24])
def test_pictures_are_kept_of_as_many_examples_as_asked(gallery, tmp_path):
  rows = _run(tmp_path / "run", gallery=gallery, attacks=config.Attacks())
  assert rows["picture"].null_count == rows.num_rows - 2 * gallery


@pytest.mark.slow
def test_a_clip_from_hugging_face_files_runs_like_any_other(tmp_path):
  folder = tmp_path / "hf"
  checkpoints.write_huggingface(checkpoints.clip(), folder, checkpoints.CLIP_PROCESSOR)
  rows = _run(tmp_path / "run", models=(str(folder),), prompts=("openai_7",))
  assert rows.num_rows > 0
  described = json.loads((tmp_path / "run" / "run.json").read_text())["identity"]["models"]
  assert described[str(folder)]["source"] == str(folder)
  assert len(described[str(folder)]["sha256"]) == 64


@pytest.mark.slow
def test_examples_that_were_finished_in_the_middle_of_a_cascade_are_not_attacked_again(
  tmp_path, monkeypatch
):
  """A crash between two harvests: what had finished stays, and the rows end up the same."""
  cascade = "autoattack(attacks=('apgd-ce', 'square'), steps=3, queries=20)"
  changes = {"attacks": config.Attacks(names=(cascade,), epsilons=(8 / 255,)), "limit": 40}
  changes |= {"models": ("digits-clip",), "corruptions": config.Corruptions(), "block": 40}
  expected = _run(tmp_path / "whole", **changes)
  attack = batching.attack

  def crash(*arguments):
    for number, harvest in enumerate(attack(*arguments)):
      yield harvest
      if number:
        raise OSError("power cut")

  monkeypatch.setattr(runner, "_FLUSH_SECONDS", 0.0)
  monkeypatch.setattr(batching, "attack", crash)
  with pytest.raises(OSError, match="power cut"):
    _run(tmp_path / "cut", **changes)
  written = records.read(tmp_path / "cut")
  kept = written.filter([bool(epsilon) for epsilon in written["epsilon"].to_pylist()])
  assert 0 < kept.num_rows < 40
  attacked = []

  def watch(cascade, classifier, searcher, examples, *rest):
    attacked.append(len(examples.labels))
    return attack(cascade, classifier, searcher, examples, *rest)

  monkeypatch.setattr(batching, "attack", watch)
  assert _run(tmp_path / "cut", **changes).equals(expected)
  assert attacked == [40 - kept.num_rows]


def _short_of_memory(monkeypatch, slots, calls):
  """From the given call on, attacks find memory for so many slots on each of the devices."""
  real, made, sizes = batching._advance, itertools.count(), []

  def advance(search):
    def program(searcher, places, waiting, orders):
      sizes.append(len(waiting.row) // jax.device_count())
      if next(made) >= calls and sizes[-1] > slots:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")
      return real(search)(searcher, places, waiting, orders)

    return program

  monkeypatch.setattr(batching, "_advance", advance)
  return sizes


@pytest.mark.slow
def test_where_memory_runs_out_the_run_goes_on_in_half_the_slots(tmp_path, monkeypatch, caplog):
  cascade = "autoattack(attacks=('apgd-ce', 'square'), steps=3, queries=20)"
  changes = {"attacks": config.Attacks(names=(cascade,), epsilons=(8 / 255,)), "limit": 60}
  changes |= {"models": ("digits-clip",), "corruptions": config.Corruptions(), "block": 50}
  columns = ["cell", "example", "clean_prediction", "prediction", "success", "steps", "found_by"]
  expected = _run(tmp_path / "whole", **changes).select(columns)
  attack, attacked = batching.attack, []

  def watch(cascade, classifier, searcher, examples, *rest):
    attacked.append(len(examples.labels))
    return attack(cascade, classifier, searcher, examples, *rest)

  monkeypatch.setattr(batching, "attack", watch)
  sizes = _short_of_memory(monkeypatch, slots=1, calls=3)
  assert _run(tmp_path / "run", **changes).select(columns).equals(expected)
  assert sizes[:3] == [2, 2, 2]
  assert set(sizes[4:]) == {1}
  whole, rest, _ = attacked  # Of the first block twice, of the second once.
  assert 0 < rest < whole

  (doubt,) = records.load_run(tmp_path / "run")["warnings"]
  assert "memory was full with 2 slots; rows from there on were made in 1" in doubt["detail"]
  assert [record.getMessage() for record in caplog.records] == [doubt["detail"]]
  assert [line["slots"] for line in logs.read(tmp_path / "run")] == [1, 1]
  assert json.loads((tmp_path / "run" / "slots.json").read_text()) == 1
  report.write([tmp_path / "run"], tmp_path / "report.html")
  assert "memory was full with 2 slots" in (tmp_path / "report.html").read_text()


def test_memory_that_one_slot_fills_ends_the_run_with_the_way_out(tmp_path, monkeypatch):
  monkeypatch.setattr(runner, "_FLUSH_SECONDS", 0.0)
  _short_of_memory(monkeypatch, slots=0, calls=0)
  with pytest.raises(errors.InputError, match="although each device works on one example at a"):
    _run(tmp_path / "run", corruptions=config.Corruptions())
  rows = records.read(tmp_path / "run")
  assert set(rows["perturbation"].to_pylist()) == {"clean"}  # What had been finished.


def test_a_trace_is_taken_of_the_second_block_and_changes_no_row(tmp_path, caplog):
  clean = {"corruptions": config.Corruptions(), "attacks": config.Attacks(), "block": 8}
  expected = _run(tmp_path / "plain", **clean)
  assert _run(tmp_path / "traced", profile=tmp_path / "trace", **clean).equals(expected)
  (trace,) = (tmp_path / "trace").rglob("*.xplane.pb")  # One, of three blocks.
  assert b"on_mesh" in trace.read_bytes()  # A program ran in it,
  assert b"backend_compile" not in trace.read_bytes()  # and none was compiled.
  assert not caplog.records
  _run(tmp_path / "short", profile=tmp_path / "none", **clean | {"block": 24})
  assert not (tmp_path / "none").exists()
  assert "no trace: no block followed another" in caplog.text


@pytest.mark.slow
def test_doubts_about_an_attack_are_kept_with_the_run(tmp_path):
  folder = _save(tmp_path / "flat", 32, _flatten)
  _run(tmp_path / "run", models=(folder,))
  found = records.load_run(tmp_path / "run")["warnings"]
  assert {warning["name"] for warning in found} == {"zero_gradient"}
  report.write([tmp_path / "run"], tmp_path / "report.html")
  assert "has no gradient at all" in (tmp_path / "report.html").read_text()


def _flatten(model):
  """Constant logits: no image changes them."""
  model.fc.kernel[...] = jnp.zeros_like(model.fc.kernel[...])
  model.fc.bias[...] = jnp.arange(10.0)


def _photographs(root: pathlib.Path) -> pathlib.Path:
  """Scans of digits as a folder of PNGs, of which one is broken."""
  source = data.load("digits")
  for index in range(60):
    image, label = source[index]
    file = root / source.class_names[label] / f"{index}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(file)
  broken = next(root.glob("*/7.png"))
  broken.write_bytes(broken.read_bytes()[:60])
  return root


def test_a_broken_image_is_a_row_with_its_error_and_a_packed_set_has_the_same_rows(
  tmp_path, monkeypatch
):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  folder = _photographs(tmp_path / "scans")
  names = data.load("digits").class_names
  changes = {"limit": 0, "unreadable": 0.02}
  monkeypatch.setitem(data.DATA_SETS, "digits", lambda: data.folder(folder, names))
  rows = _run(tmp_path / "one", **changes)
  (lost,) = records.unreadable(tmp_path / "one").to_pylist()
  assert lost["example"].endswith("/7.png")
  assert lost["example"] not in set(rows["example"].to_pylist())
  assert f"{lost['example']} in {folder} cannot be decoded" in lost["error"]
  assert names[lost["label"]] == lost["example"].split("/")[0]
  assert {row["examples"] for row in metrics.summarize(rows).to_pylist()} == {59}
  page = tmp_path / "report.html"
  report.write([tmp_path / "one"], page)
  assert "1 images cannot be read and are not counted" in page.read_text()
  assert "not computed yet" not in page.read_text()

  lines = logs.read(tmp_path / "one")
  assert [line["block"] for line in lines] == [0, 1, 2, 3]
  cells = records.load_run(tmp_path / "one")["cells"]
  passes = (cell["examples"] * (cell["forwards"] + 2 * cell["backwards"]) for cell in cells)
  assert sum(line["passes"] for line in lines) == sum(passes)
  assert 0 < lines[-1]["occupancy"] <= 1
  assert all(line["device"] > 0 and line["host"] > 0 for line in lines)
  assert "% occupied" in page.read_text()

  for part in (tmp_path / "one" / "records").glob("digits-000002-*"):
    part.unlink()
  assert _run(tmp_path / "one", **changes).equals(rows)  # Only what was lost is made again.
  assert records.unreadable(tmp_path / "one").to_pylist() == [lost]

  packed = packing.tar(folder, tmp_path / "scans.tar", "scans/")
  monkeypatch.setitem(data.DATA_SETS, "digits", lambda: data.folder(packed, names))
  assert _run(tmp_path / "two", **changes).equals(rows)
  monkeypatch.setattr(evaluator.Evaluator, "clean", None)  # Nothing is left to do.
  assert _run(tmp_path / "two", **changes).equals(rows)


def test_too_many_broken_images_stop_the_run(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  folder = _photographs(tmp_path / "scans")
  names = data.load("digits").class_names
  monkeypatch.setitem(data.DATA_SETS, "digits", lambda: data.folder(folder, names))
  message = r"digits: 1 of 60 images cannot be read, more than --config.unreadable=0.01 allows; .*7"
  with pytest.raises(errors.InputError, match=message):
    _run(tmp_path / "run", limit=0)


def test_a_cache_of_decoded_images_changes_no_row(tmp_path, monkeypatch):
  _save(tmp_path / "other", 16)
  names = ("digits-resnet", str(tmp_path / "other"))
  clean = {"models": names, "corruptions": config.Corruptions(), "attacks": config.Attacks()}
  expected = _run(tmp_path / "one", **clean)
  cache = tmp_path / "cache"
  assert _run(tmp_path / "two", cache, **clean).equals(expected)
  assert len(list(cache.iterdir())) == 2  # As many as there are preprocessings.

  def decode(self, index):
    raise AssertionError(f"{index} is decoded")

  monkeypatch.setattr(data.Digits, "__getitem__", decode)
  assert _run(tmp_path / "three", cache, **clean).equals(expected)
