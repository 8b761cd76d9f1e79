"""Mesh and recommendations -> what the Sidecars save: configuration, and pushes of changes."""

from recommender.savings.measure import measure_savings
from recommender.savings.model import (
    Calibration,
    ChangeReach,
    NotEstimated,
    Savings,
    TypeCalibration,
    WorkloadSavings,
)

__all__ = [
    "Calibration",
    "ChangeReach",
    "NotEstimated",
    "Savings",
    "TypeCalibration",
    "WorkloadSavings",
    "measure_savings",
]
