"""Measure predictions inside a service: never in their way, never two mixed, and honest about its own cost."""

from __future__ import annotations

from perfcli.monitor.block import Block
from perfcli.monitor.context import Request
from perfcli.monitor.measurement import BlockMeasurement, Measurement
from perfcli.monitor.performance_monitor import PerformanceMonitor

__all__ = ["Block", "BlockMeasurement", "Measurement", "PerformanceMonitor", "Request"]
