"""Several bundles that answer as one: the mean of their calibrated probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.classifier import Classifier
from models.errors import DataError
from models.labels import Head, HeadKind
from models.metrics import Floats


class Ensemble:
    """One classifier, or several whose answers count alike.

    Lakshminarayanan, Pritzel and Blundell 2017, "Simple and Scalable Predictive Uncertainty Estimation
    using Deep Ensembles", section 2.4: a mixture of equal weights.

    Parameters
    ----------
    members
        Loaded; at least one.
    """

    def __init__(self, members: Sequence[Classifier]) -> None:
        if not members:
            raise ValueError("an ensemble needs a member")
        self._members = tuple(members)

    @property
    def name(self) -> str:
        """Which models and what computes them, for people."""
        return " + ".join(
            f"{member.bundle.name} {member.bundle.version} ({member.engine_detail})"
            for member in self._members
        )

    def head(self, task: str) -> Head:
        """The head of that name.

        Raises
        ------
        DataError
            When a member lacks it, or has other labels under the name: their probabilities would not be
            of the same things.
        """
        found = []
        for member in self._members:
            head = next((head for head in member.bundle.heads if head.name == task), None)
            if head is None:
                raise DataError(
                    f"no head {task!r} in {member.bundle.name}; "
                    f"it has {', '.join(map(repr, member.bundle.labels))}"
                )
            found.append(head)
        for member, head in zip(self._members, found, strict=True):
            if head != found[0]:
                raise DataError(
                    f"{member.bundle.folder}: its head {task!r} is {_told(head)}, that of "
                    f"{self._members[0].bundle.folder} {_told(found[0])}: only heads of one kind "
                    "with the same labels in the same order have a mean"
                )
        return found[0]

    def probabilities(
        self, head: Head, texts: Sequence[str], targets: Sequence[str] = ()
    ) -> Floats:
        """Mean of the members' calibrated probabilities.

        Parameters
        ----------
        head
            From `head`.
        texts
            As `models.text.model_input` makes them.
        targets
            The company asked about in each, for a target head.

        Returns
        -------
        ndarray
            ``(texts, labels) float64``.
        """
        names = [[name] for name in targets]
        total: Floats = np.zeros((len(texts), len(head.labels)))
        for member in self._members:
            if head.kind is HeadKind.TARGET:
                total += member.target_probabilities(texts, names)
            else:
                total += member.probabilities(texts)[head.name]
        return total / len(self._members)


def _told(head: Head) -> str:
    return f"{head.kind.value} with {', '.join(head.labels)}"
