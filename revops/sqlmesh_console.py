"""What SQLMesh reports of its work, as plain log lines."""

from __future__ import annotations

import logging
from typing import Any

from sqlmesh.core.console import NoopConsole

from revops.terminal.progress import Builds

_log = logging.getLogger("revops.build")


class LogConsole(NoopConsole):  # type: ignore[misc]
    """Says which model was evaluated, how long it took and what failed."""

    def __init__(self, builds: Builds | None = None) -> None:
        super().__init__()
        self.builds = builds or Builds()
        self._durations: dict[str, float] = {}
        self._failures: list[tuple[str, Exception]] = []
        self._violations: list[str] = []
        self._is_promoting = False
        self._audited: list[tuple[str, int, int]] = []

    def take_audited(self) -> list[tuple[str, int, int]]:
        """Model, audits passed and audits failed, of each evaluation since the last call."""
        audited, self._audited = self._audited, []
        return audited

    def take_durations(self) -> dict[str, float]:
        """Seconds that each model took that was evaluated since the last call."""
        durations, self._durations = self._durations, {}
        return durations

    def take_failures(self) -> list[tuple[str, Exception]]:
        """Each model that failed since the last call, with its error."""
        failures, self._failures = self._failures, []
        return failures

    def take_violations(self) -> list[str]:
        """Each violation of a lint rule since the last call: file, line, rule and what is wrong."""
        violations, self._violations = self._violations, []
        return violations

    def take_is_promoting(self) -> bool:
        """Whether a plan began to promote since the last call."""
        is_promoting, self._is_promoting = self._is_promoting, False
        return is_promoting

    def start_promotion_progress(self, *args: Any, **kwargs: Any) -> None:
        """Notes that views of the environment are changing from here on."""
        self._is_promoting = True

    def show_linter_violations(self, violations: Any, model: Any, is_error: bool = False) -> None:
        """Keeps violations that are errors, for the error that ends the build; passes the others on."""
        for violation in violations:
            place = str(getattr(model, "_path", None) or model.name)
            if violation.violation_range is not None:
                place += f":{violation.violation_range.start.line + 1}"
            said = f"{place}: {violation.rule.name}: {' '.join(violation.violation_msg.split())}"
            if is_error:
                self._violations.append(said)
            else:
                _log.warning("%s", said)

    def start_evaluation_progress(self, batched_intervals: Any, *args: Any, **kwargs: Any) -> None:
        """Notes how many models follow."""
        self.builds.begin({_name(snapshot.name): len(found) for snapshot, found in batched_intervals.items()})

    def start_snapshot_evaluation_progress(self, snapshot: Any, audit_only: bool = False) -> None:
        """Says that a model is being evaluated."""
        self.builds.start(_name(snapshot.name))

    def update_snapshot_evaluation_progress(
        self,
        snapshot: Any,
        interval: Any,
        batch_idx: int,
        duration_ms: int | None,
        num_audits_passed: int,
        num_audits_failed: int,
        audit_only: bool = False,
        execution_stats: Any = None,
        auto_restatement_triggers: Any = None,
    ) -> None:
        """Logs one line per evaluated model, whatever its batches."""
        model = _name(snapshot.name)
        if num_audits_passed or num_audits_failed:
            self._audited.append((model, num_audits_passed, num_audits_failed))
        seconds = None if duration_ms is None else duration_ms / 1000
        took = self.builds.end(model, seconds, num_audits_passed, num_audits_failed)
        if took is not None:
            self._durations[model] = self._durations.get(model, 0.0) + took

    def stop_evaluation_progress(self, success: bool = True) -> None:
        """Says that no model is being evaluated any more."""
        self.builds.pause()

    def log_failed_models(self, errors: Any) -> None:
        """Keeps what failed, for the error that ends the build."""
        for error in errors:
            node = getattr(error.node, "snapshot_name", None) or getattr(error.node, "name", error.node)
            self._failures.append((_name(str(node)), error))

    def log_warning(self, short_message: str, long_message: str | None = None, *args: Any, **kwargs: Any) -> None:
        """Passes a warning on."""
        _log.warning("%s", short_message)

    def log_error(self, message: str, *args: Any, **kwargs: Any) -> None:
        """Passes an error on; the exception that follows ends the build."""
        _log.debug("%s", message)


def _name(fqn: str) -> str:
    return ".".join(part.strip('"') for part in fqn.split(".")[-2:])
