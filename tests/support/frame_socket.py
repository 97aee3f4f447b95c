"""A WebSocket client that sends whatever bytes a test wants, well-formed or not."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, field

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
MASK = b"\1\2\3\4"


def frame(opcode: int, data: bytes = b"", last: bool = True, compressed: bool = False) -> bytes:
    """One masked frame."""
    head = bytes([(0x80 if last else 0) | (0x40 if compressed else 0) | opcode])
    if len(data) < 126:
        head += bytes([0x80 | len(data)])
    elif len(data) < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", len(data))
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", len(data))
    mask = (MASK * (len(data) // 4 + 1))[: len(data)]
    masked = (int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(data), "big")
    return head + MASK + masked


@dataclass
class FrameSocket:
    """A connection whose handshake is done."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    head: bytes
    frames: list[tuple[int, bytes]] = field(default_factory=list)

    async def send(self, data: bytes) -> None:
        """Send bytes; those that a closed connection does not take are lost."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            pass

    async def receive(self) -> tuple[int, bytes]:
        """The next frame: opcode and data. Raises IncompleteReadError or ConnectionError at the end."""
        first, size = await self.reader.readexactly(2)
        if size == 126:
            (size,) = struct.unpack(">H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self.reader.readexactly(8))
        return first & 15, await self.reader.readexactly(size)

    async def closed(self) -> tuple[int, str]:
        """Read up to the close frame: its code and reason. `frames` has what came before it."""
        while (found := await self.receive())[0] != CLOSE:
            self.frames.append(found)
        return struct.unpack(">H", found[1][:2])[0], found[1][2:].decode()

    def leave(self) -> None:
        self.writer.transport.abort()


async def connect(
    host: str, port: int, path: str = "/", *headers: str, receive_buffer: int | None = None
) -> FrameSocket:
    """Open a WebSocket; the server must accept it. `receive_buffer`: bytes that the kernel keeps for this client."""
    made = socket.socket()
    if receive_buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, (host, port))
    reader, writer = await asyncio.open_connection(sock=made)
    lines = [
        f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *headers, "", "",
    ]  # fmt: skip
    writer.write("\r\n".join(lines).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head, head
    return FrameSocket(reader, writer, head)
