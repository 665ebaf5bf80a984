"""The channel itself as the receiver of one document: the UPD that a trader signed.

It is no customs system: nothing is delivered anywhere and nothing answers. What the UPD confirms is looked up by
`gateway.steps.confirm`; which permission is needed stands with the document that is held.
"""

from __future__ import annotations

from gateway.profile import DocumentProfile, RetryPolicy, SystemProfile
from gateway.technical import CRD

_DOCUMENT = DocumentProfile(f"{{{CRD}}}Dokument", {}, confirms=f"{{{CRD}}}UPD")

SEAP = SystemProfile(
    system="SEAP",
    title_pl="Kanał SEAP: potwierdzenia odbioru",
    title_en="SEAP channel: confirmations of receipt",
    documents={_DOCUMENT.root: _DOCUMENT},
    answers={},
    retry=RetryPolicy((60.0,), 60.0),
)
