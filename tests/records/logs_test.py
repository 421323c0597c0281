from jaxbench.records import logs


def test_a_run_without_logs_has_no_lines(tmp_path):
  assert logs.read(tmp_path) == []
