"""Whether the labels of packed images agree with the folders that their ids still have."""

from collections.abc import Sequence

from jaxbench import errors
from jaxbench.data import classes


def check(where: str, ids: Sequence[str], labels: Sequence[int], wanted: classes.Wanted) -> None:
  """Looks up the last folder of each id among the classes.

  Folders count as classes where each has one label of its own and all of them are classes of the
  set, by whatever name.

  Args:
    where: the place, for messages.
    ids: of the examples, with the folders that they may still have.
    labels: of the examples.
    wanted: the classes of the set.

  Raises:
    InputError: they are other classes than the labels say.
  """
  examples = zip(ids, labels, strict=True)
  pairs = {(name.split("/")[-2], label) for name, label in examples if "/" in name}
  folders = dict(pairs)
  if not len(folders) == len(pairs) == len({label for _, label in pairs}) == len(set(labels)) > 1:
    return
  _, meant = classes.best(set(folders), classes.space_of(wanted))
  wrong = [name for name, label in folders.items() if meant.get(name, label) != label]
  if wrong and len(meant) == len(folders):
    first = min(wrong)
    raise errors.InputError(
      f"{where}: images of the folder {first!r} have the label {folders[first]}, and {len(wrong)} "
      f"of {len(folders)} folders are other classes than their labels say; write the folders to "
      "classnames.txt, in the order of the labels"
    )
