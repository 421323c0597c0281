"""Names: architectures with their sizes, and repositories in the Hugging Face cache."""

import pytest
from references import checkpoints, families

from jaxbench import errors, models
from jaxbench.models.weights.checkpoint import parameters


@pytest.mark.slow
@pytest.mark.parametrize("name", families.PARAMETERS)
def test_architectures_have_their_published_sizes(name):
  assert parameters(models.abstract(models.ARCHITECTURES[name])) == families.PARAMETERS[name]


def test_every_architecture_and_embedded_model_is_listed():
  listed = models.list_models()
  assert set(listed) == {
    *models.ARCHITECTURES,
    "digits-clip",
    "digits-clip-robust",
    "digits-resnet",
  }
  assert "openai/clip-vit-base-patch32" in listed["ViT-B-32-quickgelu"].sources
  assert all(listing.config.preprocess.size > 0 for listing in listed.values())


def test_each_source_is_listed_with_what_it_implies():
  listed = models.list_models()
  resnet = listed["resnet50"]
  assert resnet.formats == ("torchvision", "timm", "huggingface", "jaxbench")
  assert resnet.bridged == ("timm:resnet50",)
  assert resnet.weights["torchvision/resnet50"].preprocess == models.Preprocess(
    224, 256, "bilinear"
  )
  assert resnet.weights["timm/resnet50.a1_in1k"].preprocess == models.Preprocess(288, 288)
  ported = listed["efficientnet_b0"].weights["timm/tf_efficientnet_b0.ap_in1k"]
  assert (ported.mean, ported.activation) == ((0.5,) * 3, "silu")
  clip = listed["ViT-B-32"]
  assert clip.bridged == ("open_clip:ViT-B-32",)
  assert clip.weights["laion/CLIP-ViT-B-32-laion2B-s34B-b79K"].activation == "gelu"
  assert clip.weights["open_clip/ViT-B-32.openai"].activation == "quick_gelu"
  openai = listed["ViT-B-32-quickgelu"].weights["openai/clip-vit-base-patch32"]
  assert openai.format == "huggingface"
  assert openai.preprocess == models.Preprocess(224, margin="floor")
  # What only its folder tells is not guessed.
  assert listed["resnet152"].weights["microsoft/resnet-152"] == ("huggingface", *[None] * 4)
  assert listed["digits-clip"].formats == ("jaxbench",)


def test_every_source_has_a_line_and_every_format_a_layout():
  for name, listing in models.list_models().items():
    assert set(listing.sources) <= set(listing.weights)
    assert {weights.format for weights in listing.weights.values()} <= set(listing.formats), name


@pytest.fixture
def cache(tmp_path, monkeypatch):
  """A Hugging Face cache that holds one repository, at one commit."""
  monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
  monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
  monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
  repository = tmp_path / "models--someone--some-clip"
  (repository / "refs").mkdir(parents=True)
  (repository / "refs" / "main").write_text("c" * 40)
  folder = repository / "snapshots" / ("c" * 40)
  folder.mkdir(parents=True)
  checkpoints.write_huggingface(checkpoints.clip(), folder, checkpoints.CLIP_PROCESSOR)
  return folder


@pytest.mark.parametrize("name", ["someone/some-clip", f"someone/some-clip@{'c' * 40}"])
def test_a_repository_in_the_cache_is_found_without_network(cache, name):
  assert isinstance(models.load(name), models.CLIP)
  described = models.describe(name)
  assert "c" * 40 in described.source
  assert described.parameters > 0
  assert len(described.sha256) == 64


def test_nothing_is_downloaded_unless_asked(cache):
  with pytest.raises(errors.InputError, match="download=True"):
    models.load("someone/other-clip")


def test_an_unreachable_hub_is_one_line(cache):
  with pytest.raises(errors.InputError, match="someone/other-clip: cannot be"):
    models.load("someone/other-clip", download=True)


def test_a_name_that_does_not_exist_is_refused_with_the_nearest_match():
  with pytest.raises(errors.InputError, match="Did you mean 'digits-clip'"):
    models.load("digit-clip")


def test_an_empty_folder_is_refused(tmp_path):
  with pytest.raises(errors.InputError, match="no checkpoint here"):
    models.load(str(tmp_path))


def test_an_architecture_beside_a_configuration_is_refused(cache):
  with pytest.raises(errors.InputError, match="for bare tensors only"):
    models.load(str(cache), architecture="ViT-B-32")


def test_a_size_that_patches_do_not_fill_is_refused(cache):
  with pytest.raises(errors.InputError, match="no multiple of the patch size 8"):
    models.load(str(cache), image_size=30)
