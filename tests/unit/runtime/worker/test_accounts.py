"""What the engine has spent on each client."""

from __future__ import annotations

from speechmlx.runtime.worker.accounts import Accounts
from speechmlx.types import Priority


def test_tasks_of_a_client_have_one_account_while_there_are_any() -> None:
    accounts = Accounts()
    first = accounts.of("a")
    first.charge(0.5, Priority.BULK, 10.0)
    assert accounts.of("a") is first and accounts.of("b") is not first
    assert accounts.of("a").spent == 0.5
    del first
    assert accounts.of("a").spent == 0.0


def test_nobody_shares_with_nobody() -> None:
    accounts = Accounts()
    assert accounts.of("") is not accounts.of("")


def test_a_client_that_was_served_does_not_wait() -> None:
    """So its many tasks do not all age into another lane."""
    account = Accounts().of("a")
    assert account.waiting_since(Priority.BULK, 3.0) == 3.0
    account.charge(0.1, Priority.BULK, 10.0)
    assert account.waiting_since(Priority.BULK, 3.0) == 10.0
    assert account.waiting_since(Priority.INTERACTIVE, 3.0) == 3.0
