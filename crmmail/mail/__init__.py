"""Mail in and out: the only room that knows MIME, SMTP and IMAP.

Bytes come in and `core.message.Mail` goes up; plain values come down and bytes go out.  Nobody above this package
sees a header field, a boundary or an encoding.
"""
