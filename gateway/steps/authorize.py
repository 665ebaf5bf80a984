"""authorize: Verified -> Authorized. Signer -> person -> representation -> permission, as it stood at the receipt."""

from __future__ import annotations

from gateway.errors import Rejected
from gateway.message import Authorized, Denied, Verified
from gateway.ports import Registry


class NotAuthorized(Rejected):
    """The registry said no; keeps the generation under which it did."""

    def __init__(self, denied: Denied) -> None:
        self.generation = denied.generation
        super().__init__(denied.code, **denied.context)


def authorize(verified: Verified, registry: Registry) -> Authorized:
    """May this signer do this for the party named in the signed document; or, where the document confirms that something was
    served, receive that for its addressee? Raises NotAuthorized."""
    identified = verified.validated.identified
    received, serving = identified.parsed.received, verified.serving
    decision = registry.authorize(
        received.caller.account_id,
        verified.report.signer.fingerprint,
        serving.permission if serving else identified.profile.permission,
        serving.addressee if serving else verified.keys.party,
        received.received_at,
        verified.keys.sender,
    )
    if isinstance(decision, Denied):
        raise NotAuthorized(decision)
    return Authorized(verified, decision)
