"""Which version is the champion, who made it so, and whether it may be served.

A promotion is an alias, set by `make promote` or in MLflow's page.
"""

from typing import TYPE_CHECKING, Any

from slimderm.components.common.errors import RecordError
from slimderm.components.evaluation.gates import INCONCLUSIVE, PASSED
from slimderm.flows.record.alias_moves import UNSEEN, AliasMoves, why_not

if TYPE_CHECKING:
    from slimderm.flows.record.registry import Registry

GATES_TAG = "gates"  # tag of a version: passed, failed or inconclusive


class NotServedError(RecordError):
    """The registry answers, and says that what it calls the champion may not be served.

    Attributes
    ----------
    version : str or None
        The champion's number; None where no version is the champion.
    """

    def __init__(self, message: str, version: str | None) -> None:
        super().__init__(message)
        self.version = version


class Promotions:
    """Moves of a registry's aliases, and what follows from them."""

    def __init__(self, registry: "Registry") -> None:
        self.registry = registry
        self.moves = AliasMoves(registry.client, registry.name)

    def served(self) -> Any:
        """Return the champion if it may be served.

        Raises
        ------
        NotServedError
            If no version of several is the champion, the champion's gates failed, or nobody said
            why it was promoted although they are inconclusive.
        RecordError
            If there is no version at all, or no review judged this promotion. An earlier verdict
            may compare with another champion.
        """
        try:
            version = self.registry.expected("champion")
        except RecordError as error:
            if self.registry.versions():
                raise NotServedError(str(error), None) from None
            raise
        said = f"version {version.version} of {version.name!r} is the champion but is not served: "
        remedy = (
            "; run `make review` to judge it, or `make rollback` to restore the previous champion"
        )
        if not self.is_recorded(version):  # so it is for a moment, too, while somebody promotes
            reason = "its alias was set outside `make promote`, and nobody has judged it yet"
            raise RecordError(said + reason + remedy)
        if not self.may_serve(version):
            reason = version.tags.get("gates.reason", "its gates were never judged")
            raise NotServedError(said + reason + remedy, str(version.version))
        return version

    def may_serve(self, version: Any) -> bool:
        """Return whether a version's gates passed, or a person answers for inconclusive ones.

        A person does who promoted it by the command: it asks for the reason. A champion whose gates
        had passed when it was promoted stays one when newer data can no longer tell.
        """
        word = version.tags.get(GATES_TAG)
        if word != INCONCLUSIVE:
            return bool(word == PASSED)
        own = [each for each in self.all() if each["version"] == str(version.version)]
        return any(each["by"] != UNSEEN or each.get("gates") == PASSED for each in own[-1:])

    def all(self) -> list[dict[str, Any]]:
        """Return every promotion on record, oldest first, as `AliasMoves.of` has them."""
        return self.moves.of("champion")

    def why_stays(self) -> str:
        """Say why this process moves no alias here; empty where it may."""
        address = self.registry.tracker.mlflow.get_tracking_uri()
        return why_not(address, self.registry.settings.branches)

    def move(self, alias: str, version: Any, why: str) -> None:
        """Point an alias, by its role, at a version, and keep who, when, from where and why.

        The record is written before the alias moves. If the command is stopped in between, no
        champion is served, and the same command given again completes the promotion.

        Raises
        ------
        RecordError
            If aliases stay where they are for this process.
        """
        if reason := self.why_stays():
            raise RecordError(
                f"the alias {self.registry.aliases[alias]} was not moved to version "
                f"{version.version}: {reason}; give the command there, or set the alias in "
                "MLflow's page"
            )
        self.moves.keep(alias, version, why, version.tags.get(GATES_TAG))
        self.registry.set_alias(alias, str(version.version))

    def promote(self, version: Any, why: str) -> None:
        """Make a version the champion, as `move` does."""
        self.move("champion", version, why)

    def is_recorded(self, version: Any, alias: str = "champion") -> bool:
        """Return whether the last move of an alias that is on record led to a version."""
        known = self.moves.of(alias)
        return bool(known) and known[-1]["version"] == str(version.version)

    def notice(self, version: Any, alias: str = "champion") -> None:
        """Record that a version got an alias in MLflow's page, if it has it and that is not known.

        Nothing is recorded if another version got it meanwhile.
        """
        now = self.registry.aliased(alias)
        if now and now.version == version.version and not self.is_recorded(version, alias):
            self.moves.keep_unseen(alias, version, version.tags.get(GATES_TAG))

    def before(self, version: Any) -> Any | None:
        """Return the champion before a version's first promotion, or None.

        A champion that was deleted or may not be served is passed over for the one before it.
        Promotions after the version's first one do not count, so a version that was rolled back
        is never taken for the predecessor of its replacement.
        """
        known = {str(each.version): each for each in self.registry.versions()}
        number = str(version.version)
        history = [*(entry["version"] for entry in self.all()), number]
        while first := history.index(number):
            number = history[first - 1]
            if number in known and self.may_serve(known[number]):
                return known[number]
        return None
