"""The ports where the packages of the data path meet. Each says what its adapters promise; adapters pass one suite."""
