"""Does the model hold when the text is written otherwise, or names someone else?

`robustness_report` perturbs texts in ways that leave their meaning (`models.robustness.perturb`),
and, for heads of sentiment, swaps the names in them (`models.robustness.counterfactual`). A new
perturbation is a function and a line in `PERTURBATIONS`; its sample is the test that runs over
them all.
"""

from __future__ import annotations

from models.bounds import Bounds
from models.robustness.counterfactual import Shift, counterfactual
from models.robustness.flips import Flips, flips
from models.robustness.perturb import PERTURBATIONS, perturb
from models.robustness.report import RobustnessReport, robustness_report
from models.robustness.wilson import wilson

__all__ = [
    "PERTURBATIONS",
    "Bounds",
    "Flips",
    "RobustnessReport",
    "Shift",
    "counterfactual",
    "flips",
    "perturb",
    "robustness_report",
    "wilson",
]
