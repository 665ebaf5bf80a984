"""The one hardened XML parser, signatures, certificates, the key store."""
