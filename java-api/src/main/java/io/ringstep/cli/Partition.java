package io.ringstep.cli;

import io.ringstep.Dataset;

/** The rows that one model trains on, and those that it is validated with. */
record Partition(Dataset training, Dataset validation) {}
