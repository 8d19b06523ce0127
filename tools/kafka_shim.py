"""Between librdkafka, which Milvus has in it, and the broker `tansu`: one request is answered here.

librdkafka begins with ApiVersions in its newest version and cannot read tansu's answer to that. Told that the
version is not supported, as old brokers say, it asks again in version 0. All else passes through as it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys

_API_VERSIONS = 18
_NEWEST_READ = 2
_UNSUPPORTED_VERSION = 35


def answer(request: bytes) -> bytes | None:
    """The answer to a request that is not to reach the broker, else None; both without their length."""
    key, version, correlation = struct.unpack_from(">hhi", request)
    if key != _API_VERSIONS or version <= _NEWEST_READ:
        return None
    # in the layout of version 0, whatever was asked for: one row, of ApiVersions itself
    return struct.pack(">ihihhh", correlation, _UNSUPPORTED_VERSION, 1, _API_VERSIONS, 0, _NEWEST_READ)


async def _requests(
    reader: asyncio.StreamReader, broker: asyncio.StreamWriter, client: asyncio.StreamWriter
) -> None:
    while True:
        size = await reader.readexactly(4)
        request = await reader.readexactly(struct.unpack(">i", size)[0])
        own = answer(request)
        if own is None:
            broker.write(size + request)
            await broker.drain()
        else:
            client.write(struct.pack(">i", len(own)) + own)
            await client.drain()


async def _responses(reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1 << 16):
        client.write(chunk)
        await client.drain()


async def _serve(port: int, broker_port: int) -> None:
    async def connected(reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        broker = None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            from_broker, broker = await asyncio.open_connection("127.0.0.1", broker_port)
            ways = [
                asyncio.ensure_future(way)
                for way in (_requests(reader, broker, client), _responses(from_broker, client))
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        for writer in filter(None, (client, broker)):
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
