"""The `platform.database` section: where the LLM gateway's database is backed up, and restored."""

import datetime as dt
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from components.platform.config.base import Section

ArchiveName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$",
        max_length=40,
        description="lower case letters, digits and hyphens, a letter first, at most 40 characters",
        examples=["litellm-pg"],
    ),
]
"""A folder of the bucket for backups: all base backups and the write-ahead log of one database."""


class DatabaseRestore(Section):
    """What a database that is made anew starts from."""

    archive: ArchiveName
    until: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$",
        description="a moment to go back to, date and time in UTC; left out, all that the archive "
        "has is restored",
        examples=["2026-12-20T08:30:00Z"],
    )

    @field_validator("until")
    @classmethod
    def _until_is_a_moment(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                dt.datetime.fromisoformat(value)
            except ValueError as error:
                raise ValueError(
                    f"{value} is no moment of any day; write one such as 2026-12-20T08:30:00Z"
                ) from error
        return value


class DatabaseConfig(Section):
    """The `database` section, for substrates that have a bucket for backups."""

    archive: ArchiveName = Field(
        default="litellm-pg",
        description="Folder of the bucket that the database writes: a new one for each database "
        "that is made anew, as none writes into what another one left.",
    )
    restore: DatabaseRestore | None = Field(
        default=None,
        description="Read once, when the database is made; left out, a new one is empty.",
    )

    @model_validator(mode="after")
    def _a_restored_database_has_an_archive_of_its_own(self) -> Self:
        if self.restore is not None and self.restore.archive == self.archive:
            raise ValueError(
                f"the database would write to {self.archive}, which it is restored from, and "
                "CloudNativePG archives into an empty folder alone; set archive to a new name, "
                f"such as {self.archive}-2"
            )
        return self
