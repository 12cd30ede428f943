package io.ringstep;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;

/** What a {@link Ensemble#fit fit} did, model by model. */
public final class EnsembleResult {
  private final List<OfModel> models;
  private final boolean cancelled;
  private final Duration duration;

  EnsembleResult(List<OfModel> models, boolean cancelled, Duration duration) {
    this.models = List.copyOf(models);
    this.cancelled = cancelled;
    this.duration = duration;
  }

  /**
   * What became of the models of all ranks, those of rank 0 first, numbered through. It took as long as the slowest rank,
   * and was cancelled if any was. All ranks call it.
   *
   * @throws CollectiveException if a rank does not
   */
  public EnsembleResult gather(Communicator ranks) {
    List<OfModel> all = new ArrayList<>();
    boolean anyCancelled = false;
    long longest = 0;
    for (byte[] bytes : ranks.allGather(toBytes())) {
      ByteBuffer values = ByteBuffer.wrap(bytes);
      anyCancelled |= values.get() != 0;
      longest = Math.max(longest, values.getLong());
      while (values.hasRemaining()) {
        all.add(OfModel.read(values, all.size()));
      }
    }
    Duration share = Duration.ofNanos(longest / all.size());
    boolean cut = anyCancelled;
    List<OfModel> shared = all.stream().map(model -> model.within(cut, share)).toList();
    return new EnsembleResult(shared, cut, Duration.ofNanos(longest));
  }

  private byte[] toBytes() {
    long length = 1 + Long.BYTES + models.stream().mapToLong(OfModel::length).sum();
    ByteBuffer values = ByteBuffer.allocate(Math.toIntExact(length));
    values.put((byte) (cancelled ? 1 : 0)).putLong(duration.toNanos());
    models.forEach(model -> model.write(values));
    return values.array();
  }

  /** What became of each model. */
  public List<OfModel> models() {
    return models;
  }

  /** What became of model {@code k}. */
  public OfModel model(int k) {
    return models.get(k);
  }

  /** Those whose loss became NaN or infinite in this fit. */
  public List<OfModel> diverged() {
    return models.stream().filter(model -> model.divergedAt().isPresent()).toList();
  }

  /** Steps of all models together. */
  public long steps() {
    return models.stream().mapToLong(OfModel::steps).sum();
  }

  /** Rows trained on, counting every visit by every model. */
  public long samples() {
    return models.stream().mapToLong(OfModel::samples).sum();
  }

  /** Whether {@link Ensemble#cancel()} ended it early. */
  public boolean cancelled() {
    return cancelled;
  }

  /** Time taken by all together. */
  public Duration duration() {
    return duration;
  }

  @Override
  public String toString() {
    return models.size() + " models, " + steps() + " steps, " + diverged().size() + " diverged" + (cancelled ? ", cancelled" : "");
  }

  /** What a fit did to one model. */
  public static final class OfModel {
    private final int model;
    private final long steps;
    private final double[] losses;
    private final double[] validationLosses;
    private final int bestEpoch;
    private final boolean stoppedEarly;
    private final long divergedAt;
    private final long samples;
    private final boolean cancelled;
    private final Duration share;

    OfModel(
        int model, long steps, double[] losses, double[] validationLosses, int bestEpoch, boolean stoppedEarly,
        long divergedAt, long samples, boolean cancelled, Duration share) {
      this.model = model;
      this.steps = steps;
      this.losses = losses;
      this.validationLosses = validationLosses;
      this.bestEpoch = bestEpoch;
      this.stoppedEarly = stoppedEarly;
      this.divergedAt = divergedAt;
      this.samples = samples;
      this.cancelled = cancelled;
      this.share = share;
    }

    private long length() {
      return 3L * Long.BYTES + 3L * Integer.BYTES + 1 + (long) (losses.length + validationLosses.length) * Double.BYTES;
    }

    private void write(ByteBuffer to) {
      to.putLong(steps).putLong(divergedAt).putLong(samples).putInt(bestEpoch).put((byte) (stoppedEarly ? 1 : 0));
      write(losses, to);
      write(validationLosses, to);
    }

    private static void write(double[] values, ByteBuffer to) {
      to.putInt(values.length);
      for (double value : values) {
        to.putDouble(value);
      }
    }

    private static OfModel read(ByteBuffer from, int model) {
      long steps = from.getLong();
      long divergedAt = from.getLong();
      long samples = from.getLong();
      int bestEpoch = from.getInt();
      boolean stoppedEarly = from.get() != 0;
      double[] losses = readValues(from);
      double[] validationLosses = readValues(from);
      return new OfModel(
          model, steps, losses, validationLosses, bestEpoch, stoppedEarly, divergedAt, samples, false, Duration.ZERO);
    }

    private static double[] readValues(ByteBuffer from) {
      double[] values = new double[from.getInt()];
      Arrays.setAll(values, i -> from.getDouble());
      return values;
    }

    private OfModel within(boolean cut, Duration time) {
      return new OfModel(
          model, steps, losses, validationLosses, bestEpoch, stoppedEarly, divergedAt, samples, cut, time);
    }

    /** The same as a trainer's fit would tell it; the duration is its share of the ensemble's. */
    public FitResult toFitResult() {
      return new FitResult(steps, losses, cancelled, samples, share, validationLosses, bestEpoch, stoppedEarly);
    }

    /** Its number, from 0. */
    public int model() {
      return model;
    }

    /** Steps applied. */
    public long steps() {
      return steps;
    }

    /** Mean loss of each whole epoch as it was trained, as {@link FitResult#losses()}. */
    public double[] losses() {
      return losses.clone();
    }

    /** As {@link FitResult#validationLosses()}; where models exchange, of what they have learned together. */
    public double[] validationLosses() {
      return validationLosses.clone();
    }

    /** As {@link FitResult#bestEpoch()}. */
    public OptionalInt bestEpoch() {
      return bestEpoch == 0 ? OptionalInt.empty() : OptionalInt.of(bestEpoch);
    }

    /** Whether it ran out of patience ({@link Fit#earlyStopping}); the others went on, unless they exchange. */
    public boolean stoppedEarly() {
      return stoppedEarly;
    }

    /**
     * The 1-based number of the step whose loss was NaN or infinite, of all that the model ever took; empty where there
     * was none. That step was not applied, and the model stays as it was before it.
     */
    public OptionalLong divergedAt() {
      return divergedAt == 0 ? OptionalLong.empty() : OptionalLong.of(divergedAt);
    }

    /** Rows trained on, counting every visit. */
    public long samples() {
      return samples;
    }
  }
}
