"""Models of one's own: as objects, as files, and through the command line."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from references import command

from jaxbench import attacks, data, errors, models, records

SIZE, CLASSES = 4, 5
PREPROCESS = models.Preprocess(SIZE)
WEIGHTS = np.random.default_rng(0).normal(size=(SIZE * SIZE * 3, CLASSES)).astype(np.float32)
IMAGES = np.random.default_rng(1).random((6, SIZE, SIZE, 3), np.float32)


def _linear(weights, images):
  return images.reshape(len(images), -1) @ weights


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Equinoxian:
  """As Equinox has it: functions are leaves of the pytree."""

  weights: jax.Array
  activation: object

  def __call__(self, images):
    return self.activation(_linear(self.weights, images))


class Network(nnx.Module):
  def __init__(self):
    self.layer = nnx.Linear(SIZE * SIZE * 3, CLASSES, rngs=nnx.Rngs(0))

  def __call__(self, images):
    return self.layer(images.reshape(len(images), -1))


KINDS = {
  "partial": jax.tree_util.Partial(_linear, WEIGHTS),
  "function": lambda images: _linear(WEIGHTS, images),
  "equinox": Equinoxian(WEIGHTS, jnp.tanh),
  "nnx": Network(),
}


@pytest.mark.slow
@pytest.mark.parametrize("network", KINDS.values(), ids=KINDS)
def test_any_callable_will_do(network):
  custom = models.Custom(network, PREPROCESS)
  assert (custom.config.num_classes, custom.preprocess) == (CLASSES, PREPROCESS)
  np.testing.assert_allclose(custom(IMAGES), network(IMAGES), rtol=1e-5)
  labels = np.asarray(network(IMAGES).argmax(axis=1), np.int32)
  found = attacks.run(attacks.fgsm(), custom, IMAGES, labels, 0.1, 0, slots=1)
  expected = attacks.run(attacks.fgsm(), network, IMAGES, labels, 0.1, 0, slots=1)
  np.testing.assert_array_equal(found.adversarial, expected.adversarial)


@pytest.mark.parametrize("kind", ["partial", "function", "nnx"])
def test_other_weights_have_another_digest(kind):
  one = models.Custom(KINDS[kind], PREPROCESS)
  assert models.Custom(KINDS[kind], PREPROCESS).sha256 == one.sha256
  other = {
    "partial": lambda: jax.tree_util.Partial(_linear, WEIGHTS + 1),
    "function": lambda: lambda images: _linear(WEIGHTS + 1, images),
    "nnx": lambda: jax.tree.map(lambda x: x + 1, KINDS["nnx"]),
  }[kind]()
  assert models.Custom(other, PREPROCESS).sha256 != one.sha256
  assert models.Custom(KINDS[kind], PREPROCESS, weights_digest="x").sha256 != one.sha256


def _drawn(images):
  return _linear(WEIGHTS, images) * np.random.default_rng().random()


@pytest.mark.parametrize(
  ("network", "message"),
  [
    (3, "must be callable"),
    (lambda images: images.mean(), r"for two images it gives float32 \[\]"),
    (lambda images: (images, images), "for two images it gives float32"),
    (lambda images: images.argmax(axis=1)[..., 0], "it gives int32"),
    (lambda images: np.asarray(images) @ WEIGHTS, "JAX cannot trace the network"),
    (lambda images: _linear(WEIGHTS[:7], images), "JAX cannot trace the network"),
    (_drawn, "changes from call to call"),
  ],
)
def test_what_is_no_network_is_one_line(network, message):
  with pytest.raises(errors.InputError, match=message) as raised:
    models.Custom(network, PREPROCESS)
  assert "\n" not in str(raised.value)


def test_wrong_arguments_are_one_line():
  network = KINDS["partial"]
  for options, message in (
    ({"class_names": "abc"}, "it has 5 logits and 3 class names"),
    ({"class_names": "abcde", "encode_texts": len}, "has no class names of its own"),
  ):
    with pytest.raises(errors.InputError, match=message):
      models.Custom(network, PREPROCESS, **options)
  with pytest.raises(errors.InputError, match=r"must be a models.Preprocess\(size\), not a int"):
    models.Custom(network, 4)
  with pytest.raises(errors.InputError, match=r"needs a method compute_in\(dtype\)"):
    models.Custom(network, PREPROCESS).compute_in("bfloat16")
  with pytest.raises(errors.InputError, match="cannot read prompts"):
    models.zero_shot(models.Custom(network, PREPROCESS), ["a"], ["{}"])


def _texts(sentences):
  """An embedding that only the letters of a sentence decide."""
  return np.array([[sentence.count(letter) for letter in "abcde"] for sentence in sentences]) + 0.1


def test_a_text_encoder_makes_it_zero_shot():
  custom = models.Custom(
    KINDS["partial"], PREPROCESS, encode_texts=_texts, logit_scale=7.0, logit_bias=0.5
  )
  assert not custom.config.supervised
  found = models.zero_shot(custom, ["cab", "dad"], ["a {}", "see {}"])(jnp.asarray(IMAGES))
  each = _texts(["a cab", "see cab", "a dad", "see dad"]).reshape(2, 2, -1)
  text = (each / np.linalg.norm(each, axis=-1, keepdims=True)).mean(axis=1)
  text /= np.linalg.norm(text, axis=-1, keepdims=True)
  image = np.asarray(_linear(WEIGHTS, IMAGES))
  image /= np.linalg.norm(image, axis=-1, keepdims=True)
  np.testing.assert_allclose(found, 7 * image @ text.T + 0.5, rtol=1e-4, atol=1e-4)


def test_a_text_encoder_that_gives_something_else_is_told():
  for encode, shape in ((lambda texts: np.ones(3), "3"), (lambda texts: [[np.nan]] * 2, "2, 1")):
    custom = models.Custom(KINDS["partial"], PREPROCESS, encode_texts=encode)
    with pytest.raises(errors.InputError, match=rf"finite embeddings \[N, D\], not \[{shape}\]"):
      models.zero_shot(custom, ["a", "b"], ["{}"])


def test_a_text_encoder_that_raises_is_one_line():
  custom = models.Custom(KINDS["partial"], PREPROCESS, encode_texts=lambda texts: texts["a"])
  with pytest.raises(errors.InputError, match="encode_texts raised TypeError: list indices must"):
    models.zero_shot(custom, ["a", "b"], ["{}"])


def test_logits_are_the_classes_that_they_are_called():
  space = data.LabelSpace(("b", "a"))
  assert space.supervised_groups(2, ("b", "a")) is None
  assert space.supervised_groups(3, ("a", "x", "b")) == ((2,), (0,))
  with pytest.raises(errors.InputError, match="its class names lack 'b' of the data set's 2"):
    space.supervised_groups(2, ("a", "x"))
  with pytest.raises(errors.InputError, match="two of its classes are called 'a'"):
    space.supervised_groups(3, ("a", "b", "a"))


FILE = """
import pathlib
import jax, numpy as np
from jaxbench import models

WEIGHTS = np.load(pathlib.Path(__file__).with_name("weights.npy"))

def logits(weights, images):
  return (images - 0.5).reshape(len(images), -1) @ weights

def texts(sentences):
  return np.array([np.sin(len(text) + ord(text[-1]) * np.arange(10)) for text in sentences])

def get_model(kind="supervised"):
  options = {"encode_texts": texts} if kind == "zero-shot" else {}
  network = jax.tree_util.Partial(logits, WEIGHTS)
  return models.Custom(network, models.Preprocess(32), source="trained by hand", **options)
"""
SMALL = (
  "--config=configs/quickstart.py",
  "--config.corruptions.names=contrast",
  "--config.corruptions.severities=1",
  "--config.attacks.names=fgsm",
  "--config.attacks.epsilons=2/255",
  "--config.attacks.transfer=fgsm",
  "--config.prompts=simple",
  "--config.limit=20",
  "--config.slots=10",
)


@pytest.fixture(scope="module")
def file(tmp_path_factory, scans):
  """A linear classifier of the scans, by least squares."""
  images, labels = (array[180:] for array in scans)
  flat = images.reshape(len(images), -1) - 0.5
  weights = np.linalg.lstsq(flat, np.eye(10, dtype=np.float32)[labels], rcond=1e-2)[0]
  folder = tmp_path_factory.mktemp("own")
  np.save(folder / "weights.npy", weights)
  (folder / "mine.py").write_text(FILE)
  return folder / "mine.py"


@pytest.mark.slow
def test_a_file_is_evaluated_as_any_other_model(file, tmp_path, scans):
  names = f"--config.models={file},{file}:zero-shot"
  command.run(*SMALL, names, f"--workdir={tmp_path / 'run'}")
  rows = records.read(tmp_path / "run").to_pandas()
  cells = {cell["id"]: cell for cell in records.load_run(tmp_path / "run")["cells"]}
  found = {(cell["model"], cell["perturbation"]) for cell in cells.values()}
  assert {name for name, _ in found} == {str(file), f"{file}:zero-shot"}
  assert {what for _, what in found} >= {"clean", "contrast", f"transfer(fgsm, {file})"}
  clean = next(
    name
    for name, cell in cells.items()
    if (cell["model"], cell["perturbation"]) == (str(file), "clean")
  )
  images, _ = scans
  expected = models.load(str(file))(jnp.asarray(images))
  predicted = rows[rows.cell == clean].set_index("example").prediction
  source = data.load("digits")
  order = [source.ids.index(name) for name in predicted.index]
  np.testing.assert_array_equal(predicted, np.asarray(expected.argmax(axis=1))[order])
  described = records.load_run(tmp_path / "run")["identity"]["models"][str(file)]
  assert described["source"] == "trained by hand"
  assert described["parameters"] == 32 * 32 * 3 * 10
  weights = np.load(file.with_name("weights.npy"))
  np.save(file.with_name("weights.npy"), weights * 1.01)
  _, err = command.run(*SMALL, names, f"--workdir={tmp_path / 'run'}", status=2)
  np.save(file.with_name("weights.npy"), weights)
  assert "sha256" in err


def test_a_file_may_return_a_model_of_this_package(tmp_path):
  file = tmp_path / "theirs.py"
  file.write_text("from jaxbench import models\ndef get_model(name):\n  return models.load(name)")
  for name in ("digits-clip", "digits-resnet"):
    made, known = models.describe(f"{file}:{name}"), models.describe(name)
    assert (made.config, made.architecture) == (known.config, known.architecture)
    assert made.parameters == known.parameters


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("", "has no function get_model"),
    ("def get_model(): return 3", "get_model() must return a models.Custom"),
    ("def get_model(): return lambda images: images", "get_model() must return a models.Custom"),
    (
      "from jaxbench import models\n"
      "def get_model(): return models.Custom(lambda x: x, models.Preprocess(4))",
      "bad.py: the network must map images",
    ),
  ],
)
def test_a_file_without_a_model_is_one_line(content, message, tmp_path):
  (tmp_path / "bad.py").write_text(content)
  with pytest.raises(errors.InputError) as raised:
    models.describe(str(tmp_path / "bad.py"))
  assert message in str(raised.value)
  assert "\n" not in str(raised.value)


def test_a_file_fixes_what_other_formats_are_asked_for(file):
  with pytest.raises(errors.InputError, match="image_size is fixed in this model"):
    models.load(str(file), image_size=64)
