"""A store of features behind a pool of connections, as services have one; kept free of numpy."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Store:
    """Shares of fraud by channel. At most `size` connections are out at a time.

    Who finds none free waits for `wait` seconds, and then pays for one of his own.
    """

    def __init__(self, rates: Mapping[str, float], *, size: int, wait: float) -> None:
        self._rates, self._wait = dict(rates), wait
        self._free = threading.Semaphore(size)

    def borrow(self) -> bool:
        """Take a connection; False if it is one's own, and need not be given back."""
        return self._free.acquire(timeout=self._wait)

    def give_back(self, pooled: bool) -> None:
        """The connection that `borrow` gave."""
        if pooled:
            self._free.release()

    def rate(self, channel: str) -> float | None:
        """The channel's share of fraud, None if the store does not know it."""
        return self._rates.get(channel)

    @contextmanager
    def connection(self) -> Iterator[None]:
        """What whoever borrows should use: the connection always comes back."""
        pooled = self.borrow()
        try:
            yield
        finally:
            self.give_back(pooled)
