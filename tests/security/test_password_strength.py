"""The password strength check cannot be used to keep people from signing in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.security.callers import Caller, new_account
from tests.support.stack import Stack, tiny_stack

# Every character has several readings as a substituted letter: zxcvbn took seconds of CPU time for 72 of them.
CRAFTED = "4@8({[<369!1|0$5+7%2" * 3 + "4@8({[<369!1"
SIGN_UPS, AT_ONCE = 60, 12


def test_sign_in_works_during_sign_ups_with_crafted_passwords(stack: Stack) -> None:
    email = new_account(stack)
    attackers = [Caller(stack) for _ in range(6)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        flood = [pool.submit(attackers[number % 6].sign_up, CRAFTED) for number in range(SIGN_UPS)]
        sign_ins = []
        while not all(sign_up.done() for sign_up in flood):
            sign_ins.append(Caller(stack).sign_in(email).status_code)
    statuses = [sign_up.result().status_code for sign_up in flood]
    assert set(statuses) <= {201, 503, 504}, "503: more new passwords at once than are checked"
    assert statuses.count(201) >= 1
    assert len(sign_ins) >= 3
    assert set(sign_ins) == {200}


def test_sign_ups_of_one_address_are_slowed_down(tmp_path: Path) -> None:
    with tiny_stack(tmp_path, HEPAR_AUTH_SIGNUP_BURST="3") as stack:
        attacker = Caller(stack)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: attacker.sign_up(), range(12)))
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert {answer.status_code for answer in answers} == {201, 429}
        assert refused.json()["type"] == "/problems/too-many-attempts"
        assert int(refused.headers["retry-after"]) >= 1
        assert Caller(stack).sign_up().status_code == 201, "another address is not concerned"
