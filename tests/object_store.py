"""A real S3 server (moto's) on loopback, for all tests that need an object store.

`S3Server.start()` runs it as a program of its own; `environment` holds what points clients at it, with
credentials that are none. `requests()` counts what it was asked for, by method and path.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, Self

_START_SECONDS = 60
_COLOUR = re.compile("\x1b\\[\\d*m")


class S3Server:
    """Moto's server; `log` is the file that its requests are written to."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        ends = time.monotonic() + _START_SECONDS
        while time.monotonic() < ends and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/moto-api/", timeout=1).close()
                return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"moto's server does not start: {self.log.read_text()[-500:]}")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def client(self) -> Any:
        """Return boto3's client of it."""
        import boto3

        told = self.environment
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        )

    def bucket(self, name: str, objects: dict[str, bytes]) -> Any:
        """Make a bucket with these objects; returns the client."""
        client = self.client()
        client.create_bucket(Bucket=name)
        for key, content in objects.items():
            client.put_object(Bucket=name, Key=key, Body=content)
        return client

    def requests(self) -> Counter[str]:
        """Count what it was asked for so far, such as "GET /bucket/key"."""
        lines = self.log.read_text(errors="replace").splitlines()
        asked = (line.split('"')[1] for line in lines if line.count('"') >= 2)
        return Counter(_COLOUR.sub("", each).rpartition(" HTTP/")[0] for each in asked)
