"""What the protocols on HTTP share: request bodies, responses, middleware, and the services of a server."""
