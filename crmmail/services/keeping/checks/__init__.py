"""What `doctor` looks at, one file a subject; `services/keeping/doctor.py` is the table of contents."""
