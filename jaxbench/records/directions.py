"""The two ways of retrieval, as rows name them, and what a set is called that is asked the other.

A retrieval set is two sets of examples: its images look for their captions, and under another name
its captions look for their images.
"""

IMAGE_TO_TEXT, TEXT_TO_IMAGE = "image_to_text", "text_to_image"
DIRECTIONS = (IMAGE_TO_TEXT, TEXT_TO_IMAGE)
_CAPTIONS_OF = "captions of "


def captions_of(data: str) -> str:
  """The name of the set of captions that belongs to a set of images."""
  return f"{_CAPTIONS_OF}{data}"


def images_of(data: str) -> str:
  """The name of the set of images that a set of captions belongs to; others keep theirs."""
  return data.removeprefix(_CAPTIONS_OF)


def are_captions(data: str) -> bool:
  """Whether a name is that of a set of captions."""
  return data.startswith(_CAPTIONS_OF)
