"""Who may do what on a NATS server that does not let everybody in: users, their passwords, and the server's configuration."""
