package io.ringstep;

/**
 * Which rows each model of an ensemble has.
 *
 * @param firstRows of each model, or null where all have all rows
 * @param counts of each model, or null
 * @param targetScales what targets were divided by: [outputs], [models, outputs], or null
 */
record RowsByModel(Dataset data, long[] firstRows, long[] counts, float[] targetScales) {
  static RowsByModel all(Dataset data) {
    return new RowsByModel(data, null, null, data.targetScale());
  }

  long rows(int model) {
    return counts == null ? data.rows() : counts[model];
  }

  /** {@code targetScales} for every model, or null. */
  float[] targetScales(int models) {
    int outputs = data.outputs();
    if (targetScales == null || targetScales.length == models * outputs) {
      return targetScales;
    }
    float[] all = new float[Math.multiplyExact(models, outputs)];
    for (int i = 0; i < all.length; i++) {
      all[i] = targetScales[i % outputs];
    }
    return all;
  }
}
