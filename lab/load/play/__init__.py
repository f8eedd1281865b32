"""Playing a run: the coordinator (`run`), its workers (`worker`), what they say to each other (`wire`), and what strikes them."""
