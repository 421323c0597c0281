"""Photographs in the style of paintings, as Stylized-ImageNet has them, made on the device.

Geirhos et al., 2019, arXiv:1811.12231. Weights and paintings are the user's; nothing is fetched.
"""

from jaxbench.stylize.adain import AdaIN, Convolution, stylize
from jaxbench.stylize.paintings import Paintings
from jaxbench.stylize.render import render
from jaxbench.stylize.weights import load, sha256

__all__ = ["AdaIN", "Convolution", "Paintings", "load", "render", "sha256", "stylize"]
