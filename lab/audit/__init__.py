"""The audit: what every history must satisfy, checked without asking the code that wrote it.

It reads the streams and nothing else, with its own table of legal steps (`table`), its own books (`record`, and a module
for each concern) and its own judgement (`judge`). It imports no service; a contract of import-linter keeps it so.
"""

from lab.audit.invariants import Invariant, Violation
from lab.audit.options import Options
from lab.audit.report import Report
from lab.audit.run import audit

__all__ = ["Invariant", "Options", "Report", "Violation", "audit"]
