"""Objects of S3, and of storage that speaks its protocol: `s3://BUCKET/KEY`, `oss://BUCKET/KEY`.

boto3 finds credentials and the endpoint of S3 as every AWS tool does: in the environment
(`AWS_*`), profiles, single sign-on, web identities and the roles of machines. It is an extra, and
imported when an object is read.
"""

from __future__ import annotations

import fnmatch
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, cast
from urllib.parse import urlsplit

from recommender.errors import InputError
from recommender.files import shown

if TYPE_CHECKING:
    from collections.abc import Callable

_URL: Final = re.compile(r"(?P<scheme>s3|oss)://(?P<bucket>[A-Za-z0-9._-]+)(?:/(?P<key>.*))?", re.S)
_SCHEMES: Final = ("s3://", "oss://")
_MAGIC: Final = re.compile(r"[*?\[]")
_END_OF_TEXT: Final = fnmatch.translate("").removeprefix("(?s:)")
_MOST_TRIES: Final = 4
_ALIYUN: Final = ".aliyuncs.com"
_PART: Final = 206
# Many objects are read at a time; a connection that no pool keeps is made anew for the next one.
_CONFIG: Final[Mapping[str, Any]] = {"retries": {"mode": "standard"}, "max_pool_connections": 256}


@dataclass(frozen=True, slots=True)
class OssAccess:
    """Say how to reach Alibaba Cloud OSS, which has no names of its own in boto3."""

    endpoint: str
    region: str
    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def oss_access(environment: Mapping[str, str]) -> OssAccess | None:
    """Find out how to reach OSS from the variables that its tools use; None without them.

    `OSS_ENDPOINT` or `OSS_REGION`; `OSS_ACCESS_KEY_ID`, `OSS_ACCESS_KEY_SECRET` and
    `OSS_SESSION_TOKEN`, or those of Alibaba Cloud's SDKs, `ALIBABA_CLOUD_...`. OSS speaks the
    protocol of S3 under a host name of its own (Alibaba Cloud, "Access OSS using an AWS SDK").
    """

    def first(*names: str) -> str:
        return next((environment[name] for name in names if environment.get(name)), "")

    region = first("OSS_REGION").removeprefix("oss-")
    endpoint = first("OSS_ENDPOINT") or (f"oss-{region}{_ALIYUN}" if region else "")
    key_id = first("OSS_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_ID")
    secret = first("OSS_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    if not (endpoint and key_id and secret):
        return None
    if "://" not in endpoint:
        endpoint = f"https://{endpoint}"
    endpoint = re.sub(r"^(https?://)(oss-[a-z0-9-]+\.aliyuncs\.com)", r"\1s3.\2", endpoint)
    if not region and (found := re.search(r"//s3\.oss-([a-z0-9-]+?)(?:-internal)?\.", endpoint)):
        region = found[1]
    token = first("OSS_SESSION_TOKEN", "ALIBABA_CLOUD_SECURITY_TOKEN")
    return OssAccess(endpoint, region or "us-east-1", key_id, secret, token or None)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Name an object as it was when it was listed."""

    scheme: str
    bucket: str
    key: str
    etag: str

    @property
    def url(self) -> str:
        """Write the URL that names the object."""
        return f"{self.scheme}://{self.bucket}/{self.key}"


def is_object_url(source: object) -> bool:
    """Tell whether a source is meant as the URL of an object or of several, well-formed or not."""
    return isinstance(source, str) and source.startswith(_SCHEMES)


class ObjectStorage:
    """List and open objects; a client is made for each scheme when it is first needed."""

    def __init__(self, oss: OssAccess | None = None) -> None:
        self._oss = oss
        self._clients: dict[str, Any] = {}

    def find(self, url: str, wants: Callable[[str], bool]) -> list[StoredObject]:
        """List the objects of a URL: an object, those below a prefix, or those of a pattern.

        In a pattern `*` and `?` stay within a part of the key between slashes, `**` does not. An
        object that is named, or that a pattern matches, is taken whatever its kind.

        Raises:
            InputError: There is none, or the storage refuses or cannot be reached.
        """
        parts = _URL.fullmatch(url)
        if parts is None:
            hint = f"{url.partition(':')[0]}://BUCKET/KEY"
            raise InputError("this is no URL of an object", where=shown(url), hint=hint)
        scheme, bucket, key = parts["scheme"], parts["bucket"], parts["key"] or ""
        if magic := _MAGIC.search(key):
            pattern = re.compile(_pattern(key), re.S)
            matching = self._list(scheme, bucket, key[: magic.start()], url)
            named = key.rfind("/", 0, magic.start()) + 1
            found = [
                o for o in matching if pattern.fullmatch(o.key) and not _is_hidden(o.key[named:])
            ]
        else:
            # One listing finds the object itself and all below it.
            folder = key if not key or key.endswith("/") else f"{key}/"
            listed = [
                o
                for o in self._list(scheme, bucket, key, url)
                if o.key == key or _is_in_folder(o.key, folder, wants)
            ]
            found = [o for o in listed if o.key == key] or listed
        if not found:
            raise InputError("there is no such object", where=url, hint="check bucket and key")
        return found

    def open(self, stored: StoredObject) -> BinaryIO:
        """Open an object; what it holds is read as it comes."""
        return cast("BinaryIO", _ObjectStream(_ObjectReader(self._client, stored), 1 << 20))

    def _list(self, scheme: str, bucket: str, prefix: str, url: str) -> Iterator[StoredObject]:
        client, errors = self._client(scheme, url)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        try:
            for page in pages:
                for entry in page.get("Contents", ()):
                    if not entry["Key"].endswith("/"):
                        yield StoredObject(scheme, bucket, entry["Key"], entry.get("ETag", ""))
        except errors as error:
            hint = "check the credentials, the endpoint and the bucket"
            raise InputError(f"cannot be listed: {_said(error)}", where=url, hint=hint) from error

    def _client(self, scheme: str, url: str) -> tuple[Any, tuple[type[Exception], ...]]:
        """Make a client; also say what it raises."""
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
            from urllib3.exceptions import HTTPError
        except ImportError as error:
            hint = "pip install 'recommend-sidecars[s3]'"
            what = "reading object storage takes the extra s3"
            raise InputError(what, where=url, hint=hint) from error
        # botocore lets through what urllib3 says of TLS in the middle of an answer, and names that
        # cannot be written as UTF-8 or as those of hosts.
        errors = (BotoCoreError, ClientError, HTTPClientError, HTTPError, UnicodeError)
        if scheme not in self._clients:
            try:
                self._clients[scheme] = (
                    boto3.Session().client("s3", config=Config(**_CONFIG))
                    if scheme == "s3"
                    else self._oss_client(boto3, Config, url)
                )
            except (*errors, ValueError) as error:
                hint = "check the credentials and the endpoint"
                raise InputError(_said(error), where=url, hint=hint) from error
        return self._clients[scheme], errors

    def _oss_client(self, boto3: Any, config: Any, url: str) -> Any:
        oss = self._oss
        if oss is None:
            raise InputError(
                "how to reach OSS is not known",
                where=url,
                hint="set OSS_ENDPOINT or OSS_REGION, OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET",
            )
        host = urlsplit(oss.endpoint).hostname or ""
        # OSS itself takes nothing but the name of the bucket as part of the host name.
        style = "virtual" if host.endswith(_ALIYUN) else "path"
        return boto3.Session().client(
            "s3",
            endpoint_url=oss.endpoint,
            region_name=oss.region,
            aws_access_key_id=oss.key_id,
            aws_secret_access_key=oss.secret,
            aws_session_token=oss.token,
            config=config(
                signature_version="s3v4",
                s3={"addressing_style": style},
                **_CONFIG,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )


class _ObjectReader(io.RawIOBase):
    """Read an object from its begin to its end, over broken connections too."""

    def __init__(
        self,
        client: Callable[[str, str], tuple[Any, tuple[type[Exception], ...]]],
        stored: StoredObject,
    ) -> None:
        self._stored = stored
        self._client, self._errors = client(stored.scheme, stored.url)
        self._body: IO[bytes] | None = None
        self._done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what comes next.

        Raises:
            OSError: The object is gone, another by now, or cannot be read.
        """
        for tried in range(1, _MOST_TRIES + 1):
            try:
                if self._body is None:
                    self._body = self._open()
                data = self._body.read(len(buffer))
            except self._errors as error:
                self._body = None
                if tried == _MOST_TRIES or _is_final(error):
                    raise OSError(None, _said(error)) from error
            else:
                buffer[: len(data)] = data
                self._done += len(data)
                return len(data)
        return 0

    def _open(self) -> IO[bytes]:
        """Ask for the rest of the object, if it is still the one that was begun."""
        stored = self._stored
        asked = {"Bucket": stored.bucket, "Key": stored.key}
        if stored.etag:
            asked["IfMatch"] = stored.etag
        if self._done:
            asked["Range"] = f"bytes={self._done}-"
        answer = self._client.get_object(**asked)
        if self._done and answer["ResponseMetadata"]["HTTPStatusCode"] != _PART:
            answer["Body"].close()
            raise OSError(None, "the storage sends no part of an object")
        return cast("IO[bytes]", answer["Body"])

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None
        super().close()


class _ObjectStream(io.BufferedReader):
    """Give what there is, and fail behind it: a whole block would be lost with what follows."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes or fewer, none only at the end."""
        return super().read(size) if size is None or size < 0 else self.read1(size)


def _is_in_folder(key: str, folder: str, wants: Callable[[str], bool]) -> bool:
    path = key.removeprefix(folder)
    return key.startswith(folder) and not _is_hidden(path) and wants(path.rpartition("/")[2])


def _is_hidden(key: str) -> bool:
    return any(part.startswith(".") for part in key.split("/"))


def _pattern(glob: str) -> str:
    """Write a glob as a regular expression."""
    signs = re.findall(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|[\s\S]", glob)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(known.get(sign) or _letters(sign) for sign in signs)


def _letters(sign: str) -> str:
    """Write a set of letters as a glob reads it: no set, nor a range in it, is ever invalid."""
    if len(sign) < 3 or sign[0] != "[":
        return re.escape(sign)
    if sign.startswith("[^") and len(sign) > 3:
        sign = f"[!{sign[2:]}"
    return f"(?!/){fnmatch.translate(sign)}".removesuffix(_END_OF_TEXT)


def _is_final(error: Exception) -> bool:
    """Tell whether another try is in vain: the storage has answered, and it was no."""
    answer = getattr(error, "response", None)
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) if answer else 500
    return 400 <= status < 500


def _said(error: Exception) -> str:
    """Say in a line what boto3 says in several."""
    answer = getattr(error, "response", None)
    said = answer.get("Error", {}) if answer else {}
    text = f"{said.get('Code', '')} {said.get('Message', '')}".strip() or str(error)
    return re.sub(r"\s+", " ", text)[:300]
