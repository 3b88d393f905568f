"""The verdict of the gates in few words, and as a page; in a real run: tests/flows/agents."""

from slimderm.flows.work.gates_shown import page, words

FOUND = {"version": "3", "against": "version 1", "gates": "passed", "reason": "all hold"}
FAILED = {"version": "4", "against": "version 3", "gates": "failed", "reason": "bytes is 12"}


def test_what_did_not_pass_comes_first():
    judged = {"champion": FOUND | {"served": True}, "challenger": FAILED}
    assert words(judged) == "challenger 4 failed, champion 3 passed"


def test_the_page_has_a_row_for_each_that_was_judged():
    table = page({"champion": FOUND, "challenger": FAILED}).splitlines()
    assert [row.split("|")[1].strip() for row in table[2:]] == ["champion", "challenger"]
    assert "bytes is 12" in table[3]
    assert page({}).startswith("No version was judged")
