"""Server-sent events: bytes in, the data of each event out."""

__all__ = ["SSEDecoder"]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SSEDecoder:
    r"""Cuts a byte stream into events, wherever the network has cut it.

    Lines end with `\n`, `\r\n` or `\r`; an event's `data` lines are joined; comments, other fields,
    empty data and a byte order mark are skipped, since every vendor says the event's kind in its data
    too (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream).
    """

    def __init__(self) -> None:
        self._tail: list[bytes] = []
        self._data: list[bytes] = []
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Take what the network brought and return the data of each event that it completes."""
        if self._after_cr and piece.startswith(b"\n"):
            piece, self._after_cr = piece[1:], False
        if not piece:
            return []
        self._after_cr = piece.endswith(b"\r")
        lines = piece.splitlines()
        rest = b"" if piece[-1] in b"\r\n" else lines.pop()
        if self._tail and lines:
            lines[0] = b"".join((*self._tail, lines[0]))
            self._tail.clear()
        if rest:
            self._tail.append(rest)
        events: list[bytes] = []
        data = self._data
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line:
                event = data[0] if len(data) == 1 else b"\n".join(data)
                if event:
                    events.append(event)
                data.clear()
            elif line.startswith(_BYTE_ORDER_MARK + b"data:"):
                data.append(line[8:].lstrip(b" "))
        return events

    def finish(self) -> list[bytes]:
        """Return the event that the end of the stream has left open: some servers skip its empty line.

        It may be cut in the middle.
        """
        return self.feed(b"\n\n")
