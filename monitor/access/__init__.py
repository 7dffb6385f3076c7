"""Who may do what: roles, passwords, signing in and tokens, and the one way to act on an alert."""
