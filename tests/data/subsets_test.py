import collections

import numpy as np
import pytest

from jaxbench import config, data, errors, plan, records
from jaxbench.evaluate import provenance


class _Named:
  """A source of which only ids and labels are asked."""

  def __init__(self, ids, labels=None):
    self.ids = list(ids)
    self.labels = labels or [0] * len(self.ids)


class _Shuffled(_Named):
  def __init__(self, source):
    order = np.random.default_rng(0).permutation(len(source.ids))
    super().__init__([source.ids[i] for i in order], [source.labels[i] for i in order])


DIGITS = data.load("digits")


def _ids(source, text, limit=0):
  return [source.ids[index] for index in data.sample(source, limit, text)]


@pytest.mark.parametrize("text", ["", "first(n=7)", "every(k=9)", "balanced(each=3)"])
@pytest.mark.parametrize("limit", [0, 5])
def test_the_order_of_the_source_does_not_matter(text, limit):
  assert _ids(DIGITS, text, limit) == _ids(_Shuffled(DIGITS), text, limit)


def test_first_and_every_follow_the_alphabet():
  source = _Shuffled(_Named(f"{i:03d}" for i in range(20)))
  assert sorted(_ids(source, "first(n=3)")) == ["000", "001", "002"]
  assert sorted(_ids(source, "every(k=7)")) == ["000", "007", "014"]


def test_balanced_has_as_many_of_every_class_and_grows():
  by_id = dict(zip(DIGITS.ids, DIGITS.labels, strict=True))
  small, large = (_ids(DIGITS, f"balanced(each={each})") for each in (2, 5))
  assert collections.Counter(by_id[name] for name in large) == dict.fromkeys(range(10), 5)
  assert set(small) < set(large)


def test_a_limit_samples_from_the_subset():
  assert _ids(DIGITS, "every(k=4)", limit=11) == _ids(DIGITS, "every(k=4)")[:11]


def test_a_list_names_ids_or_files(tmp_path):
  file = tmp_path / "ids.txt"
  file.write_text("cat/1.jpg\n\nwherever/2.jpg\ncat/1.jpg\n")
  source = _Named(["dog/1.jpg", "cat/1.jpg", "cat/2.jpg"])
  assert set(_ids(source, f"listed(path={str(file)!r})")) == {"cat/1.jpg", "cat/2.jpg"}
  file.write_text("cat/3.jpg\nbird/1.jpg\ncat/2.jpg")  # Absent, and of two the same file name.
  message = "2 of the 3 examples that .*ids.txt lists .* the first is 'cat/3.jpg'"
  with pytest.raises(errors.InputError, match=message):
    _ids(source, f"listed(path={str(file)!r})")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["{}", "val/{}", "n01440764/{}"])
def test_robustbenchs_images_are_found_by_their_names(form):
  names = [form.format(f"ILSVRC2012_val_{i:08d}.JPEG") for i in range(1, 50_001)]
  found = _ids(_Named(names), "robustbench")
  assert len(found) == len(set(found)) == 5000
  assert form.format("ILSVRC2012_val_00015253.JPEG") in found  # The first of their list.


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("evry(k=2)", "unknown subset 'evry'. Did you mean 'every'"),
    ("every(k=0)", "k=0 must be a whole number"),
    ("first(n=1.5)", "n=1.5 must be a whole number"),
    ("first(n=361)", "has only 360 examples"),
    ("balanced(each=37)", "the class 0 has only 36 examples"),
    ("every", "missing 1 required keyword-only argument: 'k'"),
    ("listed(path='/nowhere/ids.txt')", "/nowhere/ids.txt cannot be read: No such file"),
    ("listed(path='/dev/null')", "lists no ids"),
    ("robustbench", "5000 of the 5000 examples that robustbench lists are not in the data set"),
  ],
)
def test_a_wrong_subset_is_one_clear_line(text, message):
  with pytest.raises(errors.InputError, match=message):
    data.sample(DIGITS, 0, text)


def test_a_run_keeps_the_name_and_the_hash_of_its_subset_and_no_other_continues_it(tmp_path):
  file = tmp_path / "ids.txt"

  def described():
    settings = config.checked(
      config.Config(
        models=("digits-resnet",), data=("digits",), subset=f"listed(path={str(file)!r})"
      )
    )
    made = plan.make(settings)
    return made, provenance.describe_run(settings, made)

  file.write_text("\n".join(DIGITS.ids[:20]))
  made, run = described()
  assert {cell.examples for cell in made.cells} == {20}
  assert run["identity"]["config"]["subset"].startswith("listed(path=")
  records.Store(tmp_path / "run", run)
  file.write_text("\n".join(DIGITS.ids[19::-1]))
  records.Store(tmp_path / "run", described()[1])  # The same examples in another order.
  file.write_text("\n".join(DIGITS.ids[1:21]))
  with pytest.raises(errors.InputError, match=r"belongs to another configuration: examples.digits"):
    records.Store(tmp_path / "run", described()[1])
