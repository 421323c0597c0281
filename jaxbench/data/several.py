"""Sets whose images show several things, each of which is a right answer."""

from collections.abc import Iterable, Sequence

from jaxbench import errors
from jaxbench.data.annotated import Annotated
from jaxbench.data.classes import Classes
from jaxbench.data.image_files import Files
from jaxbench.data.label_space import LabelSpace
from jaxbench.data.labelled import Labelled


def several(
  files: Files, ids: Iterable[str], right: Sequence[Sequence[int] | None], space: LabelSpace
) -> Annotated:
  """The files with all that is right of each; an example's label is the first of them.

  Args:
    files: where the images are.
    ids: one for each file.
    right: of each file the labels; those of None are left out.
    space: of the labels.

  Raises:
    InputError: a file has no label or one that is out of range, or no file is left.
  """
  count = len(space.class_names)
  for name, labels in zip(files.names, right, strict=True):
    if labels is not None and not (labels and all(0 <= label < count for label in labels)):
      raise errors.InputError(
        f"{files.where}: {name} has the labels {list(labels)}, which are not some of "
        f"{count} classes"
      )
  numbers = {str(label): label for label in range(count)}
  kinds = [str(labels[0]) if labels else None for labels in right]
  source = Labelled.of(files, ids, kinds, Classes(space.class_names, numbers))
  return Annotated(source, space, right=[list(labels) for labels in right if labels])
