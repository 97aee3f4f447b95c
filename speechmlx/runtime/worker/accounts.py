"""What the engine has spent on each client, so that a client with many tasks has no more than its turn."""

from __future__ import annotations

from weakref import WeakValueDictionary

from speechmlx.types import Priority


class Account:
    """One client's: seconds of steps, and when it was served last in each lane."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._served: dict[Priority, float] = {}

    def charge(self, seconds: float, priority: Priority, now: float) -> None:
        """A step of `seconds` has ended at `now`, for one task of the client or several together."""
        self.spent += seconds
        self._served[priority] = now

    def waiting_since(self, priority: Priority, arrived: float) -> float:
        """From when on the client waits with a task of `priority` that itself waits since `arrived`."""
        return max(arrived, self._served.get(priority, arrived))


class Accounts:
    """The accounts of the clients that have tasks. A task without a client has one of its own."""

    def __init__(self) -> None:
        self._by_client: WeakValueDictionary[str, Account] = WeakValueDictionary()

    def of(self, client: str) -> Account:
        """The account of `client`; it lasts as long as somebody holds it."""
        if not client:
            return Account()
        return self._by_client.setdefault(client, Account())
