"""AdaIN against torch, with random weights in the published files' form."""

import functools
import io

import jax
import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import nn

from jaxbench import config, data, errors, models, plan, records, report, stylize
from jaxbench.evaluate import runner


def _sequence(plan):
  """Layers as the PyTorch port has them: numbers are channels, "p" pools, "u" enlarges."""
  layers, channels = [], plan[0]
  for step in plan[1:]:
    if step == "p":
      layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
    elif step == "u":
      layers.append(nn.UpsamplingNearest2d(scale_factor=2))
    else:
      layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, step, 3), nn.ReLU()]
      channels = step
  return layers


@functools.cache
def _reference():
  torch.manual_seed(0)
  up_to_relu4_1 = (3, 64, 64, "p", 128, 128, "p", 256, 256, 256, 256, "p", 512)
  beyond = _sequence((512, 512))
  encoder = nn.Sequential(nn.Conv2d(3, 3, 1), *_sequence(up_to_relu4_1), *beyond)
  plan = (512, 256, "u", 256, 256, 256, 128, "u", 128, 64, "u", 64, 3)
  decoder = nn.Sequential(*_sequence(plan)[:-1])
  for layer in (*encoder, *decoder):
    if isinstance(layer, nn.Conv2d):  # So that the signal keeps its size.
      nn.init.kaiming_normal_(layer.weight)
      nn.init.normal_(layer.bias, std=0.1)
  decoder[-1].weight.data *= 0.1  # Most pixels in [0, 1].
  decoder[-1].bias.data += 0.5
  return encoder.requires_grad_(False), decoder.requires_grad_(False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  root = tmp_path_factory.mktemp("weights")
  encoder, decoder = _reference()
  safetensors.torch.save_file(encoder.state_dict(), root / "vgg_normalised.safetensors")
  torch.save(decoder.state_dict(), root / "decoder.pth")
  return root


def _stylized_by_torch(image, painting):
  encoder, decoder = _reference()
  content, style = (
    encoder[:31](torch.tensor(x).permute(2, 0, 1)[None])[0].flatten(1) for x in (image, painting)
  )
  normal = (content - content.mean(1, keepdim=True)) / (content.var(1, keepdim=True) + 1e-5).sqrt()
  wanted = normal * (style.var(1, keepdim=True) + 1e-5).sqrt() + style.mean(1, keepdim=True)
  height, width = (side // 8 for side in image.shape[:2])
  return decoder(wanted.reshape(1, 512, height, width))[0].permute(1, 2, 0).numpy()


def test_stylized_images_are_those_of_torch(folder):
  draw = np.random.default_rng(0)
  images, paintings = (draw.random((2, *size, 3), np.float32) for size in ((24, 32), (40, 16)))
  network = stylize.load(folder)
  found = jax.jit(jax.vmap(stylize.stylize, in_axes=(None, 0, 0)))(network, images, paintings)
  for mine, image, painting in zip(found, images, paintings, strict=True):
    pixels = _stylized_by_torch(image, painting)
    expected = np.floor(np.clip(pixels * 255 + 0.5, 0, 255)) / 255
    assert mine.shape == (24, 32, 3)
    # A pixel may round to its neighbour.
    np.testing.assert_allclose(mine, expected, atol=1.01 / 255)
    assert np.mean(np.abs(mine - expected) > 1e-4) < 0.01
    assert np.mean((expected > 0) & (expected < 1)) > 0.5


def test_features_take_the_paintings_statistics(folder):
  network = stylize.load(folder)
  image, painting = np.random.default_rng(1).random((2, 32, 32, 3), np.float32)
  same = stylize.stylize(network, image, image)
  decoded = network.decode(network.encode(image))
  np.testing.assert_allclose(same, np.clip(decoded, 0, 1), atol=0.51 / 255 + 1e-4)
  other = stylize.stylize(network, image, painting)
  assert np.mean(np.abs(other - same) > 1e-3) > 0.5


def test_sides_that_do_not_fit_are_refused(folder):
  network = stylize.load(folder)
  for shapes in (((20, 32, 3), (32, 32, 3)), ((32, 32, 3), (8, 32, 3))):
    with pytest.raises(errors.InputError, match="a multiple of 8 pixels, at least 16, not"):
      stylize.stylize(network, *(np.zeros(shape, np.float32) for shape in shapes))


def test_wrong_weights_are_one_clear_line(folder, tmp_path):
  with pytest.raises(errors.InputError, match="holds neither vgg_normalised"):
    stylize.load(tmp_path)
  (tmp_path / "vgg_normalised.safetensors").symlink_to(folder / "vgg_normalised.safetensors")
  torch.save({"1.weight": torch.zeros(2)}, tmp_path / "decoder.pth")
  with pytest.raises(errors.InputError, match=r"1.weight must be \(256, 512, 3, 3\), not \(2,\)"):
    stylize.load(tmp_path)


@pytest.fixture
def paintings(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
  draw = np.random.default_rng(2)
  for number in range(5):
    pixels = draw.integers(0, 256, (20 + 7 * number, 50 - 5 * number, 3), np.uint8)
    (tmp_path / "art" / str(number % 2)).mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(tmp_path / "art" / str(number % 2) / f"{number}.png")
  return tmp_path / "art"


def test_a_painting_depends_on_the_example_and_the_seed_alone(paintings):
  art = stylize.Paintings(paintings)
  ids = [f"n{i:04d}" for i in range(2000)]
  chosen = art.choose(ids, seed=3)
  assert art.choose(ids[::-1], seed=3) == chosen[::-1]
  assert art.choose(ids, seed=4) != chosen
  counts = np.bincount(chosen, minlength=len(art))
  assert ((counts > 330) & (counts < 470)).all()  # 400 each, give or take four deviations.


def test_paintings_are_cut_to_their_central_square(paintings):
  art = stylize.Paintings(paintings)
  found = art.load([3, 0], size=16)
  expected = []
  for name in ("1/1.png", "0/0.png"):
    picture = Image.open(paintings / name)
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    expected.append(np.asarray(square.resize((16, 16), Image.Resampling.LANCZOS)))
  np.testing.assert_array_equal(found, expected)


def _settings(folder, paintings, **changes):
  asked = {"models": ("digits-resnet",), "data": ("digits",), "limit": 12, "slots": 2} | changes
  stylization = config.Stylization(str(folder), str(paintings))
  return config.checked(config.Config(stylization=stylization, **asked))


def test_a_run_shows_models_the_images_that_a_notebook_makes(folder, paintings, tmp_path):
  settings = _settings(folder, paintings, gallery=2, seed=5)
  made = plan.make(settings)
  runner.run(settings, made, tmp_path / "run")
  rows = [
    row for row in records.read(tmp_path / "run").to_pylist() if row["perturbation"] != "clean"
  ]
  assert {row["perturbation"] for row in rows} == {"stylized"}
  assert len(rows) == 12
  assert all(0 < row["psnr"] < 40 and row["ssim"] < 1 for row in rows)
  shown = [row for row in rows if row["picture"]]
  assert len(shown) == 2
  source, art, network = data.load("digits"), stylize.Paintings(paintings), stylize.load(folder)
  for row in shown:
    index = source.ids.index(row["example"])
    (image,), _ = data.load_images(source, [index], models.Preprocess(32))
    (painting,) = art.load(art.choose([row["example"]], seed=5), 32)
    pair = (np.float32(x) / 255 for x in (image, painting))
    expected = np.asarray(stylize.stylize(network, *pair))
    found = np.asarray(Image.open(io.BytesIO(row["picture"]))) / 255
    np.testing.assert_allclose(found, expected, atol=1.01 / 255)
    logits = models.load("digits-resnet")(found[None].astype(np.float32))
    assert row["prediction"] == np.argmax(logits)
  page = tmp_path / "report.html"
  report.write([tmp_path / "run"], page)
  assert "Accuracy under stylized" in page.read_text()
  Image.new("RGB", (20, 20)).save(paintings / "0" / "0.png")
  other = {cell.id for cell in plan.make(settings).cells}
  assert len(other & {cell.id for cell in made.cells}) == 1  # The clean one.


def test_weights_without_paintings_are_refused(folder):
  with pytest.raises(errors.InputError, match="needs both weights and paintings"):
    _settings(folder, "")
