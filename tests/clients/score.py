"""A client of Python: `score.py LIBRARY URL KEY BODY` prints the answer."""

import asyncio
import sys
import urllib.request


def main() -> None:
    """Asks with the library's defaults."""
    library, url, key, body = sys.argv[1:]
    content, headers = body.encode(), {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    if library == "requests":
        import requests

        print(requests.post(url, data=content, headers=headers, timeout=20).text)
    elif library == "httpx":
        import httpx

        print(httpx.post(url, content=content, headers=headers, timeout=20).text)
    elif library == "urllib":
        request = urllib.request.Request(url, content, headers)
        print(urllib.request.urlopen(request, timeout=20).read().decode())
    else:
        print(asyncio.run(_by_aiohttp(url, content, headers)))


async def _by_aiohttp(url: str, content: bytes, headers: dict[str, str]) -> str:
    import aiohttp

    async with aiohttp.ClientSession() as session, session.post(url, data=content, headers=headers) as answer:
        return await answer.text()


if __name__ == "__main__":
    main()
