"""Pages: where the next one is, when the last one was had, and a place to go on from."""

from .finding import find_items
from .paginator import Paginator
from .strategies import Cursor, LinkHeader, Offset, PageNumber, PageRequest, Pages

__all__ = ["Cursor", "LinkHeader", "Offset", "PageNumber", "PageRequest", "Pages", "Paginator", "find_items"]
