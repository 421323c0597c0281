"""What TeCoA's evaluation asks of each set (Mao et al., 2023, arXiv:2212.07016; commit 1243db66).

By its rule names are in lower case, with blanks. Of EuroSAT, PatchCamelyon and Country211 it has
names of its own: the last are those of ISO 3166 (as pycountry 22.3.5 has them, which it pins).
ImageNet's are in a file that could not be had.
"""

import re
from collections.abc import Sequence

TEMPLATES = {
  "caltech101": "This is a photo of a {}",
  "caltech256": "A photo of a {}.",
  "cars": "A photo of a {}.",
  "cifar10": "This is a photo of a {}",
  "cifar100": "This is a photo of a {}",
  "country211": "A photo I took in {}.",
  "dtd": "A surface with a {} texture.",
  "eurosat": "A centered satellite photo of {}.",
  "fgvc_aircraft": "A photo of a {}, a type of aircraft.",
  "flowers": "A photo of a {}, a type of flower.",
  "food101": "A photo of {}, a type of food.",
  "pcam": "{}",
  "pets": "A photo of a {}, a type of pet.",
  "stl10": "This is a photo of a {}",
  "sun397": "This is a photo of a {}",
  "tinyimagenet": "This is a photo of a {}",
}
_NAMES = {
  "eurosat": (
    "annual crop land",
    "a forest",
    "brushland or shrubland",
    "a highway or a road",
    "industrial buildings",
    "pasture land",
    "permanent crop land",
    "residential buildings",
    "a river",
    "a sea or a lake",
  ),
  "pcam": (
    "Tthis is a photo of healthy lymph node tissue.",  # Spelled so.
    "This is a photo of lymph node tumor tissue.",
  ),
}
# The countries that CLIP_benchmark calls otherwise than ISO 3166.
_COUNTRIES = {
  "Aland Islands": "Åland Islands",
  "Bolivia": "Bolivia, Plurinational State of",
  "Bonaire, Saint Eustatius and Saba": "Bonaire, Sint Eustatius and Saba",
  "British Virgin Islands": "Virgin Islands, British",
  "Cote d'Ivoire": "Côte d'Ivoire",
  "Curacao": "Curaçao",
  "Czech Republic": "Czechia",
  "DR Congo": "Congo, The Democratic Republic of the",
  "Faeroe Islands": "Faroe Islands",
  "Falkland Islands": "Falkland Islands (Malvinas)",
  "Iran": "Iran, Islamic Republic of",
  "Kyrgyz Republic": "Kyrgyzstan",
  "Laos": "Lao People's Democratic Republic",
  "Macau": "Macao",
  "Macedonia": "North Macedonia",
  "Moldova": "Moldova, Republic of",
  "North Korea": "Korea, Democratic People's Republic of",
  "Palestine": "Palestine, State of",
  "Reunion": "Réunion",
  "Russia": "Russian Federation",
  "Saint-Martin": "Saint Martin (French part)",
  "Sint Maarten": "Sint Maarten (Dutch part)",
  "South Georgia and South Sandwich Is.": "South Georgia and the South Sandwich Islands",
  "South Korea": "Korea, Republic of",
  "St. Helena": "Saint Helena, Ascension and Tristan da Cunha",
  "St. Kitts and Nevis": "Saint Kitts and Nevis",
  "St. Lucia": "Saint Lucia",
  "Svalbard and Jan Mayen Islands": "Svalbard and Jan Mayen",
  "Syria": "Syrian Arab Republic",
  "Taiwan": "Taiwan, Province of China",
  "Tanzania": "Tanzania, United Republic of",
  "United States Virgin Islands": "Virgin Islands, U.S.",
  "Vatican": "Holy See (Vatican City State)",
  "Venezuela": "Venezuela, Bolivarian Republic of",
  "Vietnam": "Viet Nam",
}


def names(key: str, published: Sequence[str]) -> tuple[str, ...]:
  """The classes of a set, as its prompts have them.

  Args:
    key: of the set, among `TEMPLATES`.
    published: [K], as CLIP_benchmark writes them.
  """
  if key in _NAMES:
    return _NAMES[key]
  if key == "country211":
    return tuple(_COUNTRIES.get(name, name).replace("-", " ") for name in published)
  if key == "cars":  # Without the year, so that some models are two classes of one name.
    published = [re.sub(r" \d{4}$", "", name) for name in published]
  if key == "fgvc_aircraft":
    published = [f"Boeing {name}" if name.startswith("7") else name for name in published]
  return tuple(name.lower().replace("_", " ").replace("-", " ") for name in published)
