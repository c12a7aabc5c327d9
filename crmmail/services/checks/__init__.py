"""What `doctor` looks at, one file a subject; `services/doctor.py` is the table of contents."""
