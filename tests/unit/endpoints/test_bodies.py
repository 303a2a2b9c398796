"""What bodies may take of the gateway's memory, together."""

import asyncio
import gzip
import socket

from aiohttp import web

from resources.endpoint.local.bodies import MAX_BODY_BYTES, RefusedError, Room, read_body

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n"


async def served(room, play):
    """What `play` gives, called with a port on which bodies are read into the room."""

    async def handler(request):
        try:
            with room.share() as share:
                return web.Response(text=str(len(await read_body(request, share))))
        except RefusedError as error:
            return web.Response(status=error.status)

    application = web.Application(client_max_size=MAX_BODY_BYTES)
    application.router.add_post("/", handler)
    runner = web.AppRunner(application, auto_decompress=False)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    try:
        return await play(listener.getsockname()[1])
    finally:
        await runner.cleanup()


async def send(port, size, body, headers=b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD % (size, headers) + body)
    await writer.drain()
    return reader, writer


async def answer(reader):
    return int((await reader.readline()).split()[1])


async def until(look):
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.01)


def test_bodies_that_are_still_being_sent_count_as_far_as_they_have_arrived():
    room = Room(1_000_000)

    async def play(port):
        reader, slow = await send(port, 700_000, bytes(600_000))
        await until(lambda: room.used == 600_000)
        another, writer = await send(port, 500_000, bytes(500_000))
        assert await answer(another) == 503, "together they would take more than there is"
        assert room.used == 600_000
        writer.close()
        third, writer = await send(port, 300_000, bytes(300_000))
        assert await answer(third) == 200
        writer.close()
        slow.write(bytes(100_000))
        assert await answer(reader) == 200
        slow.close()
        _, gone = await send(port, 700_000, bytes(600_000))
        await until(lambda: room.used == 600_000)
        gone.transport.abort()
        await until(lambda: room.used == 0)

    asyncio.run(served(room, play))


def test_what_gzip_makes_of_a_body_counts_as_well():
    room, packed = Room(MAX_BODY_BYTES + 100_000), gzip.compress(bytes(3_000_000))

    async def play(port):
        reader, writer = await send(port, len(packed), packed, b"Content-Encoding: gzip\r\n")
        assert await answer(reader) == 200
        writer.close()
        room.most = MAX_BODY_BYTES
        reader, writer = await send(port, len(packed), packed, b"Content-Encoding: gzip\r\n")
        assert await answer(reader) == 503
        writer.close()
        assert room.used == 0

    asyncio.run(served(room, play))
