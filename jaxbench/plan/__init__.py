"""What is asked: a config becomes cells, each a classifier, a data set and a perturbation."""

from jaxbench.plan.cells import Cell, DataSet, Plan, native, where
from jaxbench.plan.classifiers import Absent, Classifier, Surrogate
from jaxbench.plan.making import make
from jaxbench.plan.perturbations.adversary import format_epsilon

__all__ = [
  "Absent",
  "Cell",
  "Classifier",
  "DataSet",
  "Plan",
  "Surrogate",
  "format_epsilon",
  "make",
  "native",
  "where",
]
