"""Files: a download that breaks off and is gone on with, its bar (the extra `progress`), and an upload."""

import hashlib
import os
import tempfile
from pathlib import Path

import anyio
from _loopback import MockServer, Received, Reply

from sansio_http_anyio import AsyncHTTPClient, ChecksumError, ClientConfig, ProgressBar

CONTENT = bytes(range(250)) * 4000


def serve(request: Received) -> Reply:
    """One version of a file; whoever asks for all of it gets 60 %."""
    wanted, whole = request.headers.get("range"), {"ETag": '"v1"'}
    if wanted is None:
        return Reply(body=CONTENT, headers=whole, cut=600_000)
    start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    part = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"}
    return Reply(206, body=CONTENT[start:], headers=whole | part)


async def main() -> None:
    with MockServer() as server, tempfile.TemporaryDirectory() as folder:
        server.on("GET /big.iso", serve)
        server.on("PUT /copies/{name}", lambda request: Reply(201, json={"bytes": len(request.body)}))
        file, digest = Path(folder, "big.iso"), hashlib.sha256(CONTENT).hexdigest()

        config = ClientConfig(retry_backoff_factor=0.1)
        async with AsyncHTTPClient(base_url=server.url, config=config) as client:
            with ProgressBar("big.iso") as bar:
                done = await client.download("/big.iso", file, sha256=digest, progress=bar)
            print(done.size, "resumed:", done.resumed, [attempt.reason for attempt in done.attempts])
            print(os.listdir(folder))

            response = await client.upload("/copies/today", file)
            print(response.status_code, response.json_data)
            try:
                await client.download("/big.iso", file, sha256="0" * 64)
            except ChecksumError as error:
                print("not the file that was wanted:", error.actual == digest)


if __name__ == "__main__":
    anyio.run(main)  # on trio: anyio.run(main, backend="trio")
