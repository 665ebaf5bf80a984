"""Message store, mailbox, repeat keys, history."""
