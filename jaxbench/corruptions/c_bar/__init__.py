"""ImageNet-C-bar: ten corruptions unlike ImageNet-C's (Mintun, Kirillov & Xie, 2021,
arXiv:2102.11273; operations and severities of its code, facebookresearch/augmentation-corruption).

Published for squares of 224 pixels, of 32 where CIFAR-10-C-bar has the corruption too. Of an image
that is no square, the longer side stands for the one size of their formulas. The published sets
are files of JPEG 85.
"""

from jaxbench.corruptions.base import Corruption
from jaxbench.corruptions.c_bar.caustics import caustic_refraction
from jaxbench.corruptions.c_bar.checkerboard import checkerboard_cutout
from jaxbench.corruptions.c_bar.perlin import perlin_noise
from jaxbench.corruptions.c_bar.sparkles import inverse_sparkles, sparkles
from jaxbench.corruptions.c_bar.spectra import blue_noise_sample, brownish_noise
from jaxbench.corruptions.c_bar.waves import (
  cocentric_sine_waves,
  plasma_noise,
  single_frequency_greyscale,
)

CORRUPTIONS: dict[str, Corruption] = {  # In its list's order, under its names.
  "caustic_refraction": caustic_refraction,
  "inverse_sparkles": inverse_sparkles,
  "sparkles": sparkles,
  "perlin_noise": perlin_noise,
  "blue_noise_sample": blue_noise_sample,
  "plasma_noise": plasma_noise,
  "checkerboard_cutout": checkerboard_cutout,
  "cocentric_sine_waves": cocentric_sine_waves,
  "single_frequency_greyscale": single_frequency_greyscale,
  "brownish_noise": brownish_noise,
}
