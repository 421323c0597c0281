from jaxbench.records import wording


def test_models_that_need_no_resizing_are_told_apart():
  assert wording.where({"a": None, "b": None}) == ""
  assert wording.where({"a": 32, "b": 32}).endswith("the model resizes them inside")
  assert wording.where({"a": 32, "b": None}).endswith("inside (only a)")
