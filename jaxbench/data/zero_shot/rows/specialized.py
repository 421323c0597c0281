"""Images from the air and of medicine."""

import functools

from jaxbench.data.zero_shot import listed, pixels, vtab
from jaxbench.data.zero_shot.row import Row, Tfds

_EUROSAT = ("eurosat/2750", "EuroSAT/2750", "EuroSAT_RGB", "EuroSAT")
_EUROSAT_ORIGIN = "https://zenodo.org/records/7711810 (EuroSAT_RGB.zip, unpacked)"
SPECIALIZED = (
  Row(
    "eurosat",
    5_400,
    functools.partial(vtab.tested_part, total=27_000),
    _EUROSAT,
    _EUROSAT_ORIGIN,
    wds="vtab-eurosat",
    tfds=Tfds("eurosat/rgb/2.*.*", "train[21600:]", "filename"),
  ),
  Row(
    "eurosat-all",
    27_000,
    listed.by_folder,
    _EUROSAT,
    _EUROSAT_ORIGIN,
    classes="eurosat",
    templates="eurosat",
    tfds=Tfds("eurosat/rgb/2.*.*", "train", "filename"),
  ),
  Row(
    "pcam",
    32_768,
    pixels.pcam,
    ("pcam",),
    "https://zenodo.org/records/2546921 (..._split_test_x.h5.gz and _y, unpacked)",
    wds="vtab-pcam",
    tfds=Tfds("patch_camelyon/2.*.*", id="id"),
  ),
  Row(
    "resisc45",
    6_300,
    functools.partial(vtab.tested_part, total=31_500),
    ("NWPU-RESISC45", "resisc45/NWPU-RESISC45"),
    wds="vtab-resisc45",
    tfds=Tfds("resisc45/3.*.*", "train[25200:]", "filename"),
  ),
  Row(
    "diabetic_retinopathy",
    42_670,
    wds="vtab-diabetic_retinopathy",
    tfds=Tfds("diabetic_retinopathy_detection/btgraham-300/3.*.*", id="name"),
  ),
)
