"""Which engine computes, and why."""

from __future__ import annotations

import importlib.util

from models.bundle import Bundle
from models.engines import Engine
from models.errors import MissingExtraError, ModelError

ENGINES = ("auto", "openvino", "torch")


def choose_engine(bundle: Bundle, wanted: str, threads: int | None) -> tuple[Engine, str]:
    """Build the engine for a bundle.

    Parameters
    ----------
    bundle
        Verified.
    wanted
        ``auto`` (CUDA where it works, else OpenVINO), ``openvino`` or ``torch``.
    threads
        CPU threads; None for every core.

    Returns
    -------
    tuple
        The engine, and a sentence for the log: what computes and why.

    Raises
    ------
    ModelError
        When `wanted` is none of `ENGINES`.
    MissingExtraError
        When torch was asked for and is not installed.
    """
    if wanted not in ENGINES:
        raise ModelError(f"engine {wanted!r}: expected one of {', '.join(ENGINES)}")
    if wanted == "torch":
        from models.engines.torch import TorchEngine

        torch_engine = TorchEngine(bundle, threads=threads)
        return torch_engine, f"{torch_engine.detail}, because the setting asks for torch"
    why = "because the setting asks for openvino"
    if wanted == "auto":
        missing = _no_cuda()
        if missing is None:
            from models.engines.torch import TorchEngine

            try:
                cuda_engine = TorchEngine(bundle, device="cuda")
                return cuda_engine, f"{cuda_engine.detail}, because a CUDA device works"
            except (MissingExtraError, RuntimeError) as error:
                missing = f"the CUDA device could not be used: {error}"
        why = f"because {missing}"
    from models.engines.openvino import OpenVinoEngine

    engine = OpenVinoEngine(bundle, threads=threads)
    return engine, f"{engine.detail}, {why}"


def _no_cuda() -> str | None:
    """Why there is no CUDA to use, or None where there is."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed (foreshock[gpu])"
    if not _has_nvidia_driver():
        # Importing torch costs seconds and 200 MB: not worth it to hear there is no device.
        return "no CUDA device was found"
    import torch

    return None if torch.cuda.is_available() else "no CUDA device was found"


def _has_nvidia_driver() -> bool:
    import ctypes

    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return True
    return False
