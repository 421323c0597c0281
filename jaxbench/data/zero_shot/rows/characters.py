"""Digits, signs, words and faces."""

from jaxbench.data.zero_shot import fer, listed, matlab, pixels
from jaxbench.data.zero_shot.row import Row, Tfds

CHARACTERS = (
  Row(
    "gtsrb",
    12_630,
    listed.gtsrb,
    ("gtsrb",),
    "https://benchmark.ini.rub.de (GTSRB_Final_Test_Images.zip, GTSRB_Final_Test_GT.zip, unpacked)",
    wds="gtsrb",
  ),
  Row(
    "mnist",
    10_000,
    pixels.mnist,
    ("MNIST/raw", "mnist"),
    wds="mnist",
    tfds=Tfds("mnist/3.*.*", id=""),
  ),
  Row(
    "renderedsst2",
    1_821,
    listed.by_folder,
    ("rendered-sst2/test",),
    "https://openaipublic.azureedge.net/clip/data/rendered-sst2.tgz, unpacked",
    wds="renderedsst2",
  ),
  Row(
    "svhn",
    26_032,
    matlab.svhn,
    ("test_32x32.mat", "svhn"),
    "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
    wds="vtab-svhn",
    tfds=Tfds("svhn_cropped/3.*.*", id="id"),
  ),
  Row(
    "fer2013",
    7_178,
    fer.fer2013,
    ("fer2013",),
    "https://www.kaggle.com/datasets/msambare/fer2013, unpacked",
    wds="fer2013",
  ),
)
