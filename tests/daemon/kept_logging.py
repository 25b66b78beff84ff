"""The process's logging as it was, after something that sets it up."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_logging() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("broker_bridge")
    handlers, level, our_level, raises = root.handlers[:], root.level, ours.level, logging.raiseExceptions
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        ours.setLevel(our_level)
        logging.raiseExceptions = raises
        logging.captureWarnings(False)
