"""Backup and restore of all streams, in the server's own format: `nats stream backup` without that program.

Source: the stream snapshot and restore API of nats-server (`server/jetstream_api.go`).
"""
