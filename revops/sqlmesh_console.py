"""What SQLMesh reports of its work, as plain log lines."""

from __future__ import annotations

import logging
from typing import Any

from sqlmesh.core.console import NoopConsole

_log = logging.getLogger("revops.build")


class LogConsole(NoopConsole):  # type: ignore[misc]
    """Says which model was evaluated, how long it took and what failed."""

    def __init__(self) -> None:
        super().__init__()
        self._failures: list[tuple[str, Exception]] = []
        self._violations: list[str] = []
        self._is_promoting = False
        self._audited: list[tuple[str, int, int]] = []

    def take_audited(self) -> list[tuple[str, int, int]]:
        """Model, audits passed and audits failed, of each evaluation since the last call."""
        audited, self._audited = self._audited, []
        return audited

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
        """Logs one line per evaluated model."""
        if num_audits_passed or num_audits_failed:
            self._audited.append((_name(snapshot.name), num_audits_passed, num_audits_failed))
        seconds = "" if duration_ms is None else f" in {duration_ms / 1000:.1f} s"
        audits = f", {num_audits_passed} audits passed" if num_audits_passed else ""
        failed = f", {num_audits_failed} FAILED" if num_audits_failed else ""
        _log.info("%s%s%s%s", _name(snapshot.name), seconds, audits, failed)

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
