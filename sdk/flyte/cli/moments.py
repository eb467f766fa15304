"""Times on the command line: `2026-01-31`, `2026-01-31T12:00:00`, `now`, `today`, `now - 1 day`."""

from __future__ import annotations

from datetime import UTC, datetime

from click import Context, Parameter, ParamType

from flyte.cli.not_readable import NotReadable


class MomentType(ParamType[datetime]):
    """A moment; one without a time zone is in UTC."""

    name = "datetime"

    def convert(self, value: object, param: Parameter | None, ctx: Context | None) -> datetime:
        """See click."""
        from flyte.cli.texts import read_text

        if isinstance(value, datetime):
            return value
        try:
            moment: datetime = read_text(str(value), datetime)
        except (NotReadable, ValueError) as error:
            self.fail(f"{error}.", param, ctx)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
