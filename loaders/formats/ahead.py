"""Owns running a generator in a separate thread, a few items ahead of its consumer. Does not look at the items."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

_DEPTH = 8


@contextmanager
def read_ahead(items: Iterator[Item], depth: int = _DEPTH) -> Iterator[Iterator[Item]]:
    """Yield an iterator over the same items, produced by another thread while the consumer works.

    An error of the producer is raised at its place in the order. When the block is left, the producer has stopped.
    """
    ready: queue.Queue[Item | _End] = queue.Queue(maxsize=depth)
    left = threading.Event()

    def put(item: Item | _End) -> bool:
        while not left.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        end = _End(None)
        try:
            for item in items:
                if not put(item):
                    break
        except BaseException as failure:  # noqa: BLE001 - raised again where the items are consumed
            end = _End(failure)
        put(end)

    def consume() -> Iterator[Item]:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.failure is not None:
            raise item.failure

    thread = threading.Thread(target=produce, name="read ahead", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        left.set()
        thread.join()


class _End:
    def __init__(self, failure: BaseException | None) -> None:
        self.failure = failure
