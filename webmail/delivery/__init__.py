"""Mail on its way out: submission, the copy in Sent, the copy of a draft. No transaction is open while a socket is."""
