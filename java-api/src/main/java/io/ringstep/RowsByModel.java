package io.ringstep;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * Which rows each model of an ensemble has.
 *
 * @param firstRows of each model, or null where all have all rows
 * @param counts of each model, or null
 * @param targetScales what targets were divided by: [outputs], [models, outputs], or null
 * @param owned whether the data was made for this, and is closed with it
 */
record RowsByModel(Dataset data, long[] firstRows, long[] counts, float[] targetScales, boolean owned) implements AutoCloseable {
  RowsByModel(Dataset data, long[] firstRows, long[] counts, float[] targetScales) {
    this(data, firstRows, counts, targetScales, false);
  }

  static RowsByModel all(Dataset data) {
    return new RowsByModel(data, null, null, data.targetScale());
  }

  /**
   * Model k has all rows of {@code rows.get(k)}. A dataset that several models have is held once.
   *
   * @param rows all of one shape, and with weights or all without
   */
  static RowsByModel each(List<Dataset> rows) {
    Map<Dataset, Long> places = new IdentityHashMap<>();
    List<Dataset> distinct = new ArrayList<>();
    long[] firstRows = new long[rows.size()];
    long[] counts = new long[rows.size()];
    long end = 0;
    for (int k = 0; k < firstRows.length; k++) {
      Dataset own = rows.get(k);
      counts[k] = own.rows();
      Long place = places.putIfAbsent(own, end);
      firstRows[k] = place == null ? end : place;
      if (place == null) {
        distinct.add(own);
        end += own.rows();
      }
    }
    if (distinct.size() == 1) {
      return all(distinct.get(0));
    }
    return new RowsByModel(Dataset.stacked(distinct), firstRows, counts, scales(rows), true);
  }

  private static float[] scales(List<Dataset> rows) {
    if (rows.stream().allMatch(own -> own.targetScale() == null)) {
      return null;
    }
    int outputs = rows.get(0).outputs();
    float[] scales = new float[Math.multiplyExact(rows.size(), outputs)];
    for (int k = 0; k < rows.size(); k++) {
      float[] own = rows.get(k).targetScale();
      for (int o = 0; o < outputs; o++) {
        scales[k * outputs + o] = own == null ? 1 : own[o];
      }
    }
    return scales;
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

  @Override
  public void close() {
    if (owned) {
      data.close();
    }
  }
}
