/** docker-compose, dockerode, Testcontainers for Node and docker-py driving ordinary scripts. */
