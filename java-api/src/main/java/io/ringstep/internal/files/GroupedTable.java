package io.ringstep.internal.files;

import java.util.List;

/**
 * Samples from a file, each of a group.
 *
 * @param groups the name of every row's group
 */
public record GroupedTable(Table table, List<String> groups) {}
