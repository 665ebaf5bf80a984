"""Who may act for whom: accounts, persons, entities, representations, permissions, certificates."""
