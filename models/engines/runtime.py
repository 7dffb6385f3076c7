"""The one door to OpenVINO, with its telemetry shut.

``import openvino`` alone reports "general_import" to a web analytics service when the library
``openvino_telemetry`` is installed (it comes along with openvino) and a consent file says yes, or
under NNCF when there is no such file. Both have a silent stand-in for hosts without that library:
making the import of the library fail selects it, whatever files or environment the host has.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

_REPORTER = "openvino_telemetry"
_REPORTS = ("send_event", "send_error", "send_stack_trace", "start_session", "end_session")


def load_openvino() -> Any:
    """The ``openvino`` module, unable to report anything."""
    shut_telemetry()
    import openvino

    return openvino


def load_nncf() -> Any:
    """The ``nncf`` module, unable to report anything.

    Raises
    ------
    MissingExtraError
        When nncf is not installed.
    """
    shut_telemetry()
    import logging

    try:
        import nncf
    except ImportError as error:
        from models.errors import MissingExtraError

        raise MissingExtraError("quantising a model", "train", "nncf") from error
    nncf.set_log_level(logging.ERROR)
    return nncf


def shut_telemetry() -> None:
    """Make the reporter unavailable, also where someone imported it before."""
    if _REPORTER in sys.modules:
        reporter = sys.modules[_REPORTER]
        if isinstance(reporter, ModuleType):
            for name in _REPORTS:
                setattr(reporter.Telemetry, name, _silent)
    # None in sys.modules makes the import statement raise ModuleNotFoundError.
    sys.modules[_REPORTER] = None  # type: ignore[assignment]


def _silent(*_: object, **__: object) -> None:
    return None
