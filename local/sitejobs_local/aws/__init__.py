"""AWS on this machine: moto, worker processes, queues."""
