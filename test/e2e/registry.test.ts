/** Push, pull and what lies between, with the stock docker CLI and Debian's docker-registry. */
