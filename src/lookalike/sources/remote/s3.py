"""Objects in stores of Amazon's protocol, by the client that s3fs opens: its credentials are s3fs' matter."""

from __future__ import annotations

from typing import Any

from lookalike.records import FileStamp
from lookalike.sources.remote.listed import Listed, gathered, stamp_from
from lookalike.sources.remote.troubles import RemoteError, Trouble


class S3Store:
    """A store of buckets. Keys are taken as they are, whatever letters they hold."""

    def __init__(self, files: Any) -> None:
        self._files = files

    async def page(self, folder: str, mark: Any = None) -> tuple[list[Listed], Any]:
        """Return up to a thousand of the objects below a folder, in the order of their keys."""
        bucket, key = _parts(folder)
        client = await self._client(bucket)
        go_on = {"ContinuationToken": mark} if mark else {}
        prefix = f"{key}/" if key else ""
        answer = await client.list_objects_v2(Bucket=bucket, Prefix=prefix, **go_on, **self._files.req_kw)
        listed = [_listed(bucket, each) for each in answer.get("Contents", [])]
        if not answer.get("IsTruncated"):
            return listed, None
        token = answer.get("NextContinuationToken")
        if not token or token == mark:  # else what does not follow would count as gone
            raise RemoteError(Trouble("its listing does not say how it goes on"))
        return listed, token

    async def is_folder(self, uri: str) -> bool:
        """Whether no object has just this key; raises what tells that there is none."""
        await self.look(uri)
        return False

    async def look(self, uri: str) -> Listed:
        """Return the facts of one object."""
        bucket, key = _parts(uri)
        client = await self._client(bucket)
        facts = await client.head_object(Bucket=bucket, Key=key, **self._files.req_kw)
        size = facts["ContentLength"]
        return Listed(uri, size, stamp_from(size, facts.get("ETag"), facts.get("LastModified")))

    async def fetch(self, uri: str, most_bytes: int, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of an object, or a stretch of them."""
        bucket, key = _parts(uri)
        client = await self._client(bucket)
        part = {} if length is None else {"Range": f"bytes={start}-{start + length - 1}"}
        answer = await client.get_object(Bucket=bucket, Key=key, **part, **self._files.req_kw)
        async with answer["Body"] as body:
            return await gathered(body, most_bytes, answer.get("ContentLength"))

    async def _client(self, bucket: str) -> Any:
        await self._files.set_session()
        return await self._files.get_s3(bucket)


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _listed(bucket: str, facts: dict[str, Any]) -> Listed:
    size: int = facts["Size"]
    stamp: FileStamp = stamp_from(size, facts.get("ETag"), facts.get("LastModified"))
    return Listed(f"s3://{bucket}/{facts['Key']}", size, stamp)
