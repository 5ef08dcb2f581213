import re

from hypothesis import given
from hypothesis import strategies as st

from jobferry.jobs.warnings import quoted


@given(st.text("a ", max_size=9) | st.text("a \t\n\r\x00\x1f\x7f\x85\u00a0\u2028\u3000\u00e9", max_size=20))
def test_a_quoted_text_has_one_space_for_each_run_of_white_space_and_control_characters(text: str) -> None:
    assert quoted(text) == f'"{re.sub(r"[\s\x00-\x1f\x7f]+", " ", text)}"'
