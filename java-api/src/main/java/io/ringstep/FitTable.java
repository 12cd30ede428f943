package io.ringstep;

import io.ringstep.engine.Engine.rs_fit;
import io.ringstep.internal.Native;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.indexer.ByteIndexer;

/**
 * The {@code rs_fit} of every model of an ensemble. Its fields are read and written where they lie: a call into the native
 * library for each would take a good part of the time in which small models train.
 */
final class FitTable implements AutoCloseable {
  // The library knows where the fields lie.
  static {
    Native.require();
  }

  private static final long SIZE = Loader.sizeof(rs_fit.class);
  private static final long EPOCHS = offset("epochs");
  private static final long SEED = offset("seed");
  private static final long TARGET_SCALE = offset("target_scale");
  private static final long EPOCH = offset("epoch");
  private static final long ROW = offset("row");
  private static final long STEPS = offset("steps");
  private static final long LOSSES = offset("losses");
  private static final long LOSSES_COUNT = offset("losses_count");
  private static final long LR_SCALE = offset("lr_scale");

  private final int models;
  private final Pointer memory;
  private final ByteIndexer fields;

  /** @param models of that many, all zero */
  FitTable(int models) {
    this.models = models;
    this.memory = Native.allocate(models * SIZE);
    this.fields = ByteIndexer.create(new BytePointer(memory).capacity(models * SIZE));
  }

  private static long offset(String field) {
    return Loader.offsetof(rs_fit.class, field);
  }

  /** The first model's, to be filled in before {@link #repeatFirst}. */
  rs_fit first() {
    return new rs_fit(memory);
  }

  /** Makes all models' fits that of the first. */
  void repeatFirst() {
    rs_fit first = first();
    for (long done = 1; done < models; done *= 2) {
      Pointer.memcpy(first.getPointer(done), first, Math.min(done, models - done) * SIZE);
    }
  }

  long epochs(int model) {
    return get(model, EPOCHS);
  }

  void setEpochs(int model, long epochs) {
    set(model, EPOCHS, epochs);
  }

  void setSeed(int model, long seed) {
    set(model, SEED, seed);
  }

  /** @param address of floats */
  void setTargetScale(int model, long address) {
    set(model, TARGET_SCALE, address);
  }

  /** @param address of doubles */
  void setLosses(int model, long address) {
    set(model, LOSSES, address);
  }

  void setLearningRateScale(int model, double scale) {
    fields.putDouble(model * SIZE + LR_SCALE, scale);
  }

  int epoch(int model) {
    return (int) get(model, EPOCH);
  }

  long row(int model) {
    return get(model, ROW);
  }

  long steps(int model) {
    return get(model, STEPS);
  }

  long lossesCount(int model) {
    return get(model, LOSSES_COUNT);
  }

  private long get(int model, long field) {
    return fields.getLong(model * SIZE + field);
  }

  private void set(int model, long field, long value) {
    fields.putLong(model * SIZE + field, value);
  }

  @Override
  public void close() {
    Pointer.free(memory);
  }
}
