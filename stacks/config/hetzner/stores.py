"""The object storage of the `hetzner` section: where copies outlive the cluster."""

import re
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from components.platform.config import Section
from components.substrate.hetzner_topology import ObjectStorage

_HOST: Final = re.compile(
    r"(?=.{1,253}(:|$))[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
    r"(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+(:[1-9][0-9]{0,4})?"
)
_BUCKET: Final = re.compile(r"[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]")
_LAST_PORT: Final = 65535
_ADDRESS: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")


def _endpoint(value: str) -> str:
    if "/" in value:
        msg = (
            f"{value!r} is a URL, and the host alone is wanted; HTTPS is always used: write one "
            "such as nbg1.your-objectstorage.com"
        )
        raise ValueError(msg)
    port = value.partition(":")[2]
    if not _HOST.fullmatch(value) or (port and int(port) > _LAST_PORT):
        msg = f"{value!r} is no host name; write one such as nbg1.your-objectstorage.com"
        raise ValueError(msg)
    return value


def _bucket(value: str) -> str:
    if not _BUCKET.fullmatch(value) or ".." in value or _ADDRESS.fullmatch(value):
        msg = (
            f"{value!r} is no name of a bucket: 3 to 63 small letters, digits, dots and hyphens, "
            "starting and ending with a letter or digit; write one such as acme-llmp-backups"
        )
        raise ValueError(msg)
    return value


class HetznerObjectStorage(Section):
    """A bucket of S3-compatible object storage that exists already, at Hetzner or elsewhere.

    Its access key and secret key are never written here. Those of etcd's snapshots come from the
    encrypted config of the stack or from the environment; those of the database's backups are in
    the secret store.
    """

    endpoint: Annotated[str, AfterValidator(_endpoint)] = Field(
        description="host of the S3 API, without scheme and bucket",
        examples=["nbg1.your-objectstorage.com"],
    )
    region: str = Field(
        pattern=r"^[a-z0-9][-a-z0-9]{0,62}$",
        description="region of the bucket; Hetzner calls it after the location",
        examples=["nbg1"],
    )
    bucket: Annotated[str, AfterValidator(_bucket)] = Field(
        description="name of the bucket", examples=["acme-llmp-backups"]
    )
    backup_days: int = Field(
        default=30, ge=1, le=3650, description="Days back that the database can be restored to."
    )

    @model_validator(mode="after")
    def _endpoint_is_without_bucket(self) -> Self:
        if self.endpoint.startswith(f"{self.bucket}."):
            msg = (
                f"endpoint {self.endpoint} starts with the bucket, which clients put before it; "
                f"write endpoint: {self.endpoint.removeprefix(f'{self.bucket}.')}"
            )
            raise ValueError(msg)
        return self

    def topology(self) -> ObjectStorage:
        """Return the same in the form that the substrate takes."""
        return ObjectStorage(
            endpoint=self.endpoint,
            region=self.region,
            bucket=self.bucket,
            backup_days=self.backup_days,
        )
