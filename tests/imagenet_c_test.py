"""Corruptions in a run and in files: the same images, each with all that decides it in its id."""

import dataclasses
import io
import pathlib
import shutil

import numpy as np
import pytest
from PIL import Image
from references.command import call

from jaxbench import config, corruptions, data, errors, imagenet_c, models, plan, records, report
from jaxbench.evaluate import runner
from jaxbench.plan.perturbations import Corruption

NAMES = ("contrast", "frost")
ASKED = config.Corruptions(names=NAMES, severities=(1, 5), variant="cifar", storage="jpeg85")


@pytest.fixture(scope="module")
def textures(tmp_path_factory):
  """Photographs under the reference's names."""
  folder = tmp_path_factory.mktemp("frost")
  draw = np.random.default_rng(0)
  for name in ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg"):
    pixels = draw.integers(0, 256, (300, 280, 3), np.uint8)
    Image.fromarray(pixels).save(folder / name)
  return str(folder)


def _settings(**changes):
  asked = dataclasses.replace(ASKED, **changes)
  return config.checked(
    config.Config(
      models=("digits-resnet",), data=("digits",), corruptions=asked, limit=10, slots=2, gallery=10
    )
  )


@pytest.fixture(scope="module")
def run(textures, tmp_path_factory):
  workdir = tmp_path_factory.mktemp("run") / "run"
  settings = _settings(textures=textures)
  runner.run(settings, plan.make(settings), workdir)
  return workdir


def test_files_hold_the_images_that_a_run_judges(run, textures, tmp_path):
  asked = dataclasses.replace(ASKED, textures=textures)
  options = {"settings": asked, "preprocess": models.Preprocess(32), "limit": 10, "slots": 2}
  source = data.load("digits")
  assert not imagenet_c.write(source, tmp_path, NAMES, (1, 5), **options)
  found = {
    (row["perturbation"], row["severity"], row["example"]): row
    for row in records.read(run).to_pylist()
    if row["severity"]
  }
  assert len(found) == 2 * 2 * 10
  for (name, severity, example), row in found.items():
    number = example.split("/")[1]
    file = tmp_path / name / str(severity) / "digits" / f"{number}.JPEG"
    judged = np.asarray(Image.open(io.BytesIO(row["picture"])))
    np.testing.assert_array_equal(np.asarray(Image.open(file)), judged)


def test_writing_goes_on_where_it_was_stopped(tmp_path):
  source, options = data.load("digits"), {"preprocess": models.Preprocess(32), "slots": 2}
  options["settings"] = config.Corruptions(variant="cifar")
  imagenet_c.write(source, tmp_path / "whole", ("contrast",), (2,), limit=6, **options)
  files = {file.relative_to(tmp_path / "whole") for file in (tmp_path / "whole").rglob("*.JPEG")}
  imagenet_c.write(source, tmp_path / "parts", ("contrast",), (2,), limit=3, **options)
  kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "parts").rglob("*.JPEG")}
  imagenet_c.write(source, tmp_path / "parts", ("contrast",), (2,), limit=6, block=4, **options)
  assert {file: file.stat().st_mtime_ns for file in kept} == kept
  assert {file.relative_to(tmp_path / "parts") for file in (tmp_path / "parts").rglob("*")} >= files
  for file in files:
    assert (tmp_path / "parts" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()


def test_the_command_writes_files_and_tells_what_is_wrong(tmp_path):
  command = ("jaxbench.imagenet_c", "--data=digits", f"--out={tmp_path}")
  small = ["--names=contrast", "--severities=3", "--variant=cifar", "--size=32", "--resize=32"]
  out, _ = call(*command, *small, "--limit=2")
  assert out == f"images: {tmp_path}\n"
  assert len(list(tmp_path.rglob("contrast/3/digits/*.JPEG"))) == 2
  _, err = call(*command, *small[1:], "--names=fogg", status=2)
  assert "Did you mean 'fog'" in err
  assert err.count("\n") == 1


def test_frost_without_photographs_is_absent_with_the_way_out(tmp_path):
  made = plan.make(_settings(textures=str(tmp_path)))
  assert {cell.perturbation.text for cell in made.cells} == {"clean", "contrast"}
  (absent,) = made.absent
  assert absent.what == "frost"
  assert "pip install --no-deps imagecorruptions" in absent.reason


def test_what_decides_an_image_decides_the_id(textures, tmp_path):
  def ids(name="contrast", **changes):
    cells = plan.make(_settings(textures=textures, **changes)).cells
    return {cell.id for cell in cells if cell.perturbation.text == name}

  assert not ids() & ids(storage="none")
  assert not ids() & ids(variant="tiny")
  assert ids() == ids(im_round="floor")  # Contrast knows nothing of ImageMagick.
  moved = {"names": ("snow",)}
  assert not ids("snow", **moved) & ids("snow", im_round="floor", **moved)
  other = tmp_path / "frost"
  other.mkdir()
  for file in pathlib.Path(textures).iterdir():
    image = np.asarray(Image.open(file))
    Image.fromarray(image[::-1]).save(other / file.name)
  assert not ids("frost") & {cell.id for cell in plan.make(_settings(textures=str(other))).cells}


def test_photographs_are_read_once_for_all_severities(textures, tmp_path, monkeypatch):
  read, folder = [], tmp_path / "frost"  # A folder that nobody has read yet.
  folder.symlink_to(textures)
  frost_textures = corruptions.frost_textures
  monkeypatch.setattr(
    corruptions, "frost_textures", lambda folder: read.append(folder) or frost_textures(folder)
  )
  asked = dataclasses.replace(ASKED, textures=str(folder))
  assert len({Corruption.of("frost", severity, asked).stream for severity in range(1, 6)}) == 5
  assert read == [str(folder)]


def test_draws_do_not_depend_on_the_storage(textures):
  streams = [
    {
      cell.perturbation.stream
      for cell in plan.make(_settings(textures=textures, storage=storage)).cells
    }
    for storage in ("none", "jpeg85")
  ]
  assert streams[0] == streams[1]


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"storage": "jpeg58"}, "unknown storage 'jpeg58'. Did you mean 'jpeg85'"),
    ({"im_round": "down"}, "unknown im_round 'down'"),
    ({"names": ("contrats",)}, "Did you mean 'contrast'"),
  ],
)
def test_unknown_options_are_one_clear_line(changes, message):
  with pytest.raises(errors.InputError, match=message):
    plan.make(_settings(**changes))


def test_the_report_tells_them_together_and_how_they_were_made(run):
  report.write([run], run.parent / "report.html")
  page = (run.parent / "report.html").read_text()
  assert "Common corruptions together" in page
  assert "constants of the “cifar” variant; images as JPEG of quality 85 holds them" in page


def test_other_settings_are_refused_in_a_folder_of_files(tmp_path):
  source, small = data.load("digits"), models.Preprocess(32)
  options = {"preprocess": small, "limit": 2, "settings": config.Corruptions(variant="cifar")}
  imagenet_c.write(source, tmp_path, ("contrast",), (2,), **options)
  imagenet_c.write(source, tmp_path, ("contrast",), (3,), **options)
  with pytest.raises(errors.InputError, match="files of another quality; name another folder"):
    imagenet_c.write(source, tmp_path, ("contrast",), (2,), quality=95, **options)
  with pytest.raises(errors.InputError, match="another seed"):
    imagenet_c.write(source, tmp_path, ("contrast",), (2,), seed=1, **options)
  with pytest.raises(errors.InputError, match="severities go from 1 to 5, not 12"):
    imagenet_c.write(source, tmp_path, ("contrast",), (12,), **options)
  narrow = options | {"preprocess": models.Preprocess(32, resize=16)}
  with pytest.raises(errors.InputError, match="have no centre of 32"):
    imagenet_c.write(source, tmp_path, ("contrast",), (2,), **narrow)


def test_images_of_imagenet_lie_in_the_folders_of_their_wnids(tmp_path):
  draw, names = np.random.default_rng(0), ("n01440764", "n03773504")  # A tench; a missile.
  for number, wnid in enumerate(names, start=1):
    file = tmp_path / "data" / "imagenet" / "val" / wnid / f"ILSVRC2012_val_{number:08d}.JPEG"
    file.parent.mkdir(parents=True)
    Image.fromarray(draw.integers(0, 256, (40, 40, 3), np.uint8)).save(file)
  source = data.load("imagenet", tmp_path / "data")
  options = {"preprocess": models.Preprocess(32), "settings": config.Corruptions(variant="cifar")}
  imagenet_c.write(source, tmp_path / "out", ("contrast",), (1,), **options)
  found = {str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.JPEG")}
  assert found == {
    f"contrast/1/{wnid}/ILSVRC2012_val_{number:08d}.JPEG" for number, wnid in enumerate(names, 1)
  }


def test_images_of_the_same_name_have_a_file_each(tmp_path):
  names = ("a/cat/1.png", "b/cat/1.png", "b/cat/1.jpg", "b/dog/1.jpg", "b/dog/a%2Fcat.jpg")
  pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8)
  source = data.Arrays(pixels, np.array([0, 0, 0, 1, 1]), ("cat", "dog"), names)
  options = {"preprocess": models.Preprocess(32), "settings": config.Corruptions(variant="cifar")}
  imagenet_c.write(source, tmp_path, ("contrast",), (1,), **options)
  found = {str(file.relative_to(tmp_path / "contrast/1")) for file in tmp_path.rglob("*.JPEG")}
  assert found == {
    *(f"cat/{name}.JPEG" for name in ("a%2Fcat%2F1.png", "b%2Fcat%2F1.png", "b%2Fcat%2F1.jpg")),
    *("dog/1.JPEG", "dog/a%2Fcat.JPEG"),
  }
  images = {np.asarray(Image.open(file)).tobytes() for file in tmp_path.rglob("*.JPEG")}
  assert len(images) == 5
  twins = data.Arrays(pixels[:2], np.array([0, 1]), ("cat", "dog"), ("cat/1.png", "cat/1.PNG"))
  with pytest.raises(errors.InputError, match="ids that differ in capitals alone"):
    imagenet_c.write(twins, tmp_path / "other", ("contrast",), (1,), **options)


def test_a_run_is_not_continued_with_other_photographs(run, textures, tmp_path):
  settings = _settings(textures=str(tmp_path / "elsewhere"))
  shutil.copytree(textures, tmp_path / "elsewhere")
  runner.run(settings, plan.make(settings), run)  # The same ones, wherever they lie.
  settings = _settings(textures=str(tmp_path / "others"))
  (tmp_path / "others").mkdir()
  for file in (tmp_path / "elsewhere").iterdir():
    Image.fromarray(np.asarray(Image.open(file))[::-1]).save(tmp_path / "others" / file.name)
  with pytest.raises(errors.InputError, match=r"frost is .* there and .* here"):
    runner.run(settings, plan.make(settings), run)
  gone = _settings(textures=str(tmp_path))
  with pytest.raises(errors.InputError, match=r"frost is .* there and null here"):
    runner.run(gone, plan.make(gone), run)
