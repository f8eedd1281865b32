"""What a run's raw log amounts to: its latencies, counts and verdict (`measure`), and how two runs differ (`comparison`)."""
