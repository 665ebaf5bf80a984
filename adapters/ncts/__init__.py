"""Transit: NCTS. NCTS2 is its phase 5 (profile `ncts2.toml`)."""
