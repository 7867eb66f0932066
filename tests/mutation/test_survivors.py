from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.survivors import Survivor, changed_lines, function_of, listed

PAGE = Path("docs/testing/mutation.md")
DIFF = """--- hepar/ensemble/voting.py
+++ hepar/ensemble/voting.py
@@ -1,3 +1,3 @@
 def vote():
-    if a > b:
+    if a >= b:
         return a
"""


@pytest.mark.parametrize(
    ("mutant", "function"),
    [
        ("hepar.ensemble.voting.x_soft_vote__mutmut_12", "hepar.ensemble.voting.soft_vote"),
        ("hepar.ensemble.voting.x__entropy__mutmut_1", "hepar.ensemble.voting._entropy"),
        ("hepar.web.access_tokens.xǁKeyCacheǁ__init____mutmut_7", "hepar.web.access_tokens.KeyCache.__init__"),
    ],
)
def test_a_mutant_is_named_by_its_function(mutant: str, function: str) -> None:
    assert function_of(mutant) == function


def test_a_survivor_that_is_printed_can_be_listed_with_a_reason_only() -> None:
    survivor = Survivor("hepar.ensemble.voting.vote", changed_lines(DIFF))
    assert survivor.change == ("- if a > b:", "+ if a >= b:")
    assert listed(f"# Page\n\n{survivor}\n\nThe reason.\n") == {survivor}
    assert listed(f"# Page\n\n{survivor}\n") == set()
    other = survivor._replace(function="hepar.ensemble.voting.other")
    assert listed(f"# Page\n\n{other}\n\n{survivor}\n\nThe reason of the second.\n") == {survivor}


def test_several_diffs_of_a_function_can_have_one_reason() -> None:
    entry = "### `a.b`\n\n```diff\n- one\n+ two\n```\n```diff\n- three\n```\n\nThe reason.\n"
    assert listed(entry) == {Survivor("a.b", ("- one", "+ two")), Survivor("a.b", ("- three",))}


def test_every_diff_in_the_page_has_a_function_and_a_reason() -> None:
    page = PAGE.read_text()
    assert len(listed(page)) == page.count("```diff")
