"""Effects, one file a kind. All are idempotent and conditional: a crash may cut anywhere."""
