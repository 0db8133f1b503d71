"""Settings of embeddings and search."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BaseModel, Field, SecretStr, model_validator

from raglive.settings.kinds import Positive, Url

__all__ = ["Embeddings", "Search"]


class Embeddings(BaseModel):
    """Embeddings."""

    embedding_provider: Literal["builtin", "openai"] = Field(
        "builtin",
        validation_alias="EMBEDDING_PROVIDER",
        description="`builtin` needs no key; `openai` is any compatible endpoint",
    )
    embedding_model: str | None = Field(
        None,
        validation_alias=AliasChoices("EMBEDDING_MODEL", "EMBEDDING_MODEL_CHOICE"),
        description="model of the embedding provider",
    )
    embedding_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("EMBEDDING_API_KEY", "OPENAI_API_KEY"),
        description="key of the embedding provider",
    )
    embedding_base_url: Url | None = Field(
        None,
        validation_alias=AliasChoices("EMBEDDING_BASE_URL", "OPENAI_BASE_URL"),
        description="address of the embedding provider",
    )
    embedding_dimensions: Annotated[int, Field(ge=1, le=16000)] | None = Field(
        None,
        validation_alias="RAGLIVE_EMBEDDING_DIMENSIONS",
        description="dimensions to request, if not the model's default",
    )
    embedding_concurrency: Annotated[int, Field(ge=1, le=64)] = Field(
        4,
        validation_alias="RAGLIVE_EMBEDDING_CONCURRENCY",
        description="requests to the embedding provider at the same time",
    )
    embedding_timeout_seconds: Positive = Field(
        60,
        validation_alias="RAGLIVE_EMBEDDING_TIMEOUT_SECONDS",
        description="time-out in seconds of a request to the embedding provider",
    )
    embedding_price: Annotated[float, Field(ge=0)] = Field(
        0,
        validation_alias="RAGLIVE_EMBEDDING_PRICE_PER_MILLION_TOKENS",
        description="price of a million tokens at the embedding provider, in any currency",
    )
    embedding_budget: Positive | None = Field(
        None,
        validation_alias="RAGLIVE_EMBEDDING_BUDGET",
        description="limit of what a pipeline spends on embeddings in a period, in the currency of "
        "the price; at the limit it pauses",
    )
    embedding_budget_period: Literal["day", "month", "total"] = Field(
        "month",
        validation_alias="RAGLIVE_EMBEDDING_BUDGET_PERIOD",
        description="period of the budget: a day, a month (both UTC), or in total",
    )

    @model_validator(mode="after")
    def _budget_has_a_price(self) -> Self:
        if self.embedding_budget is not None and not self.embedding_price:
            raise ValueError(
                "RAGLIVE_EMBEDDING_BUDGET needs RAGLIVE_EMBEDDING_PRICE_PER_MILLION_TOKENS"
            )
        return self


class Search(BaseModel):
    """Search."""

    text_search_config: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")] = Field(
        "simple",
        validation_alias="RAGLIVE_TEXT_SEARCH_CONFIG",
        description="Postgres' text search configuration, by which words are found: `english` also "
        "finds other forms of a word",
    )
