"""What is packed, into which boxes, and every action of the screen with its answer."""

from .boxes import BoxType
from .jobs import Package, PackageItem, PackagePart, PackJob, PackLine
from .scans import PackScan

__all__ = ["BoxType", "PackJob", "PackLine", "PackScan", "Package", "PackageItem", "PackagePart"]
