"""Everything HTTP: app factory, request guard, problem documents, uploads, access tokens, calls to other services."""
