"""What is asked: a config becomes cells, each a classifier, a data set and a perturbation."""

from jaxbench.plan.cells import Cell, DataSet, Plan, native
from jaxbench.plan.classifiers import Absent, Classifier, Surrogate
from jaxbench.plan.making import make

__all__ = [
  "Absent",
  "Cell",
  "Classifier",
  "DataSet",
  "Plan",
  "Surrogate",
  "make",
  "native",
]
