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
from recommender.savings.trade_off import (
    Price,
    TradeOff,
    chosen_namespaces,
    total,
    trade_offs,
)

__all__ = [
    "Calibration",
    "ChangeReach",
    "NotEstimated",
    "Price",
    "Savings",
    "TradeOff",
    "TypeCalibration",
    "WorkloadSavings",
    "chosen_namespaces",
    "measure_savings",
    "total",
    "trade_offs",
]
