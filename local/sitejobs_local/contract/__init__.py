"""What the bundle needs of a database: the contract as data, the check of it, and the grants that fulfil it."""
