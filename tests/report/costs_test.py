"""The picture of what attacks cost."""

from jaxbench.report import costs


def test_names_are_bare_unless_that_makes_them_the_same():
  named = [
    "pgd(steps=40), 4/255",
    "smallest(transfer(bim(steps=10, relative_step=1.5), digits-clip))",
    "transfer(mim, digits-clip|ttc(steps=1, backward='bpda')), 4/255",
    "apgd(norm='l2')",
    "apgd(norm='linf')",
  ]
  assert costs._bare(named) == [
    "pgd, 4/255",
    "smallest(transfer(bim, digits-clip))",
    "transfer(mim, digits-clip|ttc), 4/255",
    *named[3:],
  ]
