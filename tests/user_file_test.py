"""Python files of people's own: what they return, what their digest covers, what they do wrong."""

import pytest

from jaxbench import errors, user_file

FILE = """
import beside
from package.inside import more

def make(name="nobody"):
  return f"{beside.greeting} {name}{more}"
"""


@pytest.fixture
def file(tmp_path):
  (tmp_path / "mine.py").write_text(FILE)
  (tmp_path / "beside.py").write_text("greeting = 'hello'")
  (tmp_path / "package").mkdir()
  (tmp_path / "package/__init__.py").write_text("")
  (tmp_path / "package/inside.py").write_text("more = '!'")
  return tmp_path / "mine.py"


def test_a_function_is_called_with_its_argument(file, monkeypatch):
  monkeypatch.syspath_prepend(str(file.parent))
  assert user_file.call(str(file), "make") == "hello nobody!"
  assert user_file.call(str(file), "make", "you") == "hello you!"


@pytest.mark.parametrize("name", ["mine.py", "beside.py", "package/inside.py"])
def test_the_digest_covers_the_file_and_what_it_imports_from_its_folder(name, file):
  before = user_file.digest(str(file))
  assert user_file.digest(str(file)) == before
  with (file.parent / name).open("a") as changed:
    changed.write("\n# Changed.")
  assert user_file.digest(str(file)) != before


def test_another_file_of_the_folder_is_not_in_the_digest(file):
  before = user_file.digest(str(file))
  (file.parent / "other.py").write_text("x = 1")
  assert user_file.digest(str(file)) == before


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("def make(:", "mine.py is no Python: "),
    ("import not_there_at_all", "mine.py, line 1: it raised ModuleNotFoundError: No module named"),
    ("x = 1", "mine.py has no function make()"),
    ("make = 3", "mine.py has no function make()"),
    ("def make():\n  return {}['a']", "mine.py, line 2: make() raised KeyError: 'a'"),
    ("def make(name): pass", "mine.py: make() raised TypeError: make() missing 1 required"),
  ],
)
def test_what_goes_wrong_is_one_line_with_its_place(content, message, tmp_path):
  file = tmp_path / "mine.py"
  file.write_text(content)
  with pytest.raises(errors.InputError) as raised:
    user_file.call(str(file), "make")
  assert message in str(raised.value)
  assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
  for ask in (user_file.digest, lambda path: user_file.call(path, "make")):
    with pytest.raises(errors.InputError, match=r"absent.py cannot be read: No such file"):
      ask(str(tmp_path / "absent.py"))
