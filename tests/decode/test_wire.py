from __future__ import annotations

from io import BytesIO

import pytest

from lookalike.decode.wire import read_message, write_message


def test_messages_arrive_as_they_were_sent():
    stream = BytesIO()
    first = {"path": "caf\udce9\n\u2028é", "sizes": [1, 2.5, None, True]}
    write_message(stream, first, [b"", b"\n\0\xff", bytes(100_000)])
    write_message(stream, "second")
    stream.seek(0)
    assert read_message(stream) == (first, [b"", b"\n\0\xff", bytes(100_000)])
    assert read_message(stream) == ("second", [])
    with pytest.raises(EOFError):
        read_message(stream)


@pytest.mark.parametrize("length", [1, 5, 12, 18])
def test_a_message_cut_off_is_the_end(length):
    stream = BytesIO()
    write_message(stream, "pixels", [bytes(10)])
    with pytest.raises(EOFError):
        read_message(BytesIO(stream.getvalue()[:length]))
