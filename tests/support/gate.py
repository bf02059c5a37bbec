"""A gate in front of a server on a unix socket: it can be shut for a number of callers, then it is open."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class Gate:
    """Takes connections at ``own`` and hands them on to ``upstream``, except the first ``refused`` ones.

    Those are closed at once: to the caller, the server is there and goes away, as while it restarts.
    """

    def __init__(self, own: Path, upstream: Path, refused: int) -> None:
        self._upstream = upstream
        self._refused = refused
        self.callers = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(own))
        self._listener.listen(16)
        threading.Thread(target=self._take, daemon=True).start()

    def close(self) -> None:
        """Take no more callers."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _take(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            self.callers += 1
            if self.callers <= self._refused:
                caller.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._upstream))
            threading.Thread(target=_join, args=(caller, server), daemon=True).start()


def _join(caller: socket.socket, server: socket.socket) -> None:
    with caller, server:
        answers = threading.Thread(target=_pump, args=(server, caller), daemon=True)
        answers.start()
        _pump(caller, server)
        answers.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
