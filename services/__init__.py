"""The rooms: one folder per deployable, each the same inside. `ls services` is the list of deployables."""
