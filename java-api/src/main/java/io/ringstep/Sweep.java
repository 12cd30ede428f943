package io.ringstep;

import io.ringstep.SearchSpace.Setting;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A search for good settings: all of a {@link SearchSpace}, or so many drawn from it, are trained side by side as {@link
 * Ensemble}s and judged by k-fold cross-validation; the hopeless are stopped early by successive halving (Jamieson and
 * Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016). Immutable: {@code
 * Sweep.over(space).trials(1000).epochs(200).run(data)}.
 *
 * <p>In the first of {@value #RUNGS} rounds every setting trains for a ninth of the epochs; the best third of them trains
 * anew for a third of the epochs, and the best third of those for all. Within a round the folds' models are looked at ten
 * times, and a setting counts with the number of epochs at which it did best, as if stopped there.
 *
 * <p>The loss is the mean squared error on the rows of the folds that a model was not trained on, in the targets' own
 * units. The same data, space and seed give the same result on any number of threads.
 */
public final class Sweep {
  private static final int RUNGS = 3;

  /** Of three settings one goes on to the next round, which is three times as long. */
  private static final int SHARE = 3;

  /** That train at once: every one takes memory. */
  private static final int MOST_MODELS = 100_000;

  /** Times that a round looks at the validation rows. */
  private static final int LOOKS = 10;

  private final SearchSpace space;
  private int trials = 100;
  private int folds = 5;
  private int epochs = 200;
  private long batch = 32;
  private long seed;
  private boolean standardize = true;
  private ProgressListener listener = progress -> {};
  private BooleanSupplier cancelled = () -> false;

  private Sweep(SearchSpace space) {
    this.space = space;
  }

  private Sweep copy() {
    Sweep sweep = new Sweep(space);
    sweep.trials = trials;
    sweep.folds = folds;
    sweep.epochs = epochs;
    sweep.batch = batch;
    sweep.seed = seed;
    sweep.standardize = standardize;
    sweep.listener = listener;
    sweep.cancelled = cancelled;
    return sweep;
  }

  /** A search of {@code space}: 100 settings, 5 folds, 200 epochs, 32 rows a step, seed 0, standardized. */
  public static Sweep over(SearchSpace space) {
    return new Sweep(Objects.requireNonNull(space, "space"));
  }

  /**
   * The same with at most so many settings.
   *
   * @param trials at least 1
   */
  public Sweep trials(int trials) {
    Sweep sweep = copy();
    sweep.trials = requireAtLeast("trials", trials, 1);
    return sweep;
  }

  /**
   * The same with so many folds.
   *
   * @param folds at least 2
   */
  public Sweep folds(int folds) {
    Sweep sweep = copy();
    sweep.folds = requireAtLeast("folds", folds, 2);
    return sweep;
  }

  /**
   * The same with so many epochs for the settings that come to the last round.
   *
   * @param epochs at least 1
   */
  public Sweep epochs(int epochs) {
    Sweep sweep = copy();
    sweep.epochs = requireAtLeast("epochs", epochs, 1);
    return sweep;
  }

  /**
   * The same with so many rows a step.
   *
   * @param batch at least 1
   */
  public Sweep batch(long batch) {
    if (batch < 1) {
      throw new IllegalArgumentException("batch must be at least 1, but is " + batch);
    }
    Sweep sweep = copy();
    sweep.batch = batch;
    return sweep;
  }

  /** The same with folds, drawn settings and orders of rows from {@code seed}. */
  public Sweep seed(long seed) {
    Sweep sweep = copy();
    sweep.seed = seed;
    return sweep;
  }

  /** The same with every column at mean 0 and standard deviation 1, by the rows of training alone, or as it is. */
  public Sweep standardized(boolean standardize) {
    Sweep sweep = copy();
    sweep.standardize = standardize;
    return sweep;
  }

  /** The same, telling {@code listener} how it gets on: of all rounds together, with the least loss so far. */
  public Sweep onProgress(ProgressListener listener) {
    Sweep sweep = copy();
    sweep.listener = Objects.requireNonNull(listener, "listener");
    return sweep;
  }

  /** The same, ending soon after {@code cancelled} says so; the result is what was found by then. */
  public Sweep until(BooleanSupplier cancelled) {
    Sweep sweep = copy();
    sweep.cancelled = Objects.requireNonNull(cancelled, "cancelled");
    return sweep;
  }

  /**
   * Searches.
   *
   * @param data not standardized; of the space's inputs and outputs, and at least as many rows as folds
   */
  public SweepResult run(Dataset data) {
    Network first = space.networks().get(0);
    if (data.inputs() != first.inputs() || data.outputs() != first.outputs()) {
      throw new IllegalArgumentException(
          "the data has " + data.inputs() + " inputs and " + data.outputs() + " targets, but network " + first + " takes "
              + first.inputs() + " and gives " + first.outputs());
    }
    if (standardize && data.standardizer().isPresent()) {
      throw new IllegalArgumentException("the data is standardized already: validation rows took part in that");
    }
    return new Run(data).run();
  }

  private static int requireAtLeast(String name, int value, int least) {
    if (value < least) {
      throw new IllegalArgumentException(name + " must be at least " + least + ", but is " + value);
    }
    return value;
  }

  /** One search under way. */
  private final class Run {
    private final long start = System.nanoTime();
    private final Dataset data;
    private final List<Setting> settings = space.settings(trials, new SplittableRandom(seed));
    private final SweepResult.Trial[] best = new SweepResult.Trial[settings.size()];
    private final long totalSteps;
    private long steps;
    private boolean stopped;

    Run(Dataset data) {
      this.data = data;
      long total = 0;
      int count = settings.size();
      for (int rung = 0; rung < RUNGS; rung++) {
        total += (long) count * folds * epochs(rung) * stepsAnEpoch();
        count = survivors(count);
      }
      totalSteps = total;
    }

    SweepResult run() {
      List<Split> splits = new ArrayList<>();
      try {
        for (int fold = 0; fold < folds; fold++) {
          splits.add(split(fold));
        }
        List<Integer> alive = IntStream.range(0, settings.size()).boxed().toList();
        for (int rung = 0; rung < RUNGS && !stopped; rung++) {
          train(alive, rung, splits);
          if (!stopped) {
            alive = ranked(alive).subList(0, survivors(alive.size()));
          }
        }
      } finally {
        splits.forEach(Split::close);
      }
      List<SweepResult.Trial> ranked =
          Arrays.stream(best)
              .filter(Objects::nonNull)
              .sorted(Comparator.comparingDouble(SweepResult.Trial::loss))
              .toList();
      return new SweepResult(Sweep.this, ranked, steps, stopped, Duration.ofNanos(System.nanoTime() - start));
    }

    private Split split(int fold) {
      Split raw = data.fold(fold, folds, seed);
      if (!standardize) {
        return raw;
      }
      try (raw) {
        return raw.standardized();
      }
    }

    private long stepsAnEpoch() {
      long rows = data.rows() - data.rows() / folds;
      return (rows + batch - 1) / batch;
    }

    /** Rounded up, so that the first round of a short search has an epoch, too. */
    private int epochs(int rung) {
      int divisor = (int) Math.pow(SHARE, RUNGS - 1 - rung);
      return (epochs + divisor - 1) / divisor;
    }

    private int survivors(int count) {
      return (count + SHARE - 1) / SHARE;
    }

    private List<Integer> ranked(List<Integer> alive) {
      return alive.stream().sorted(Comparator.comparingDouble(i -> best[i].loss())).toList();
    }

    /** Trains the settings anew for a round's epochs: those of one network in all folds as one ensemble. */
    private void train(List<Integer> alive, int rung, List<Split> splits) {
      Map<Network, List<Integer>> byNetwork =
          alive.stream()
              .collect(Collectors.groupingBy(i -> settings.get(i).network(), LinkedHashMap::new, Collectors.toList()));
      int most = Math.max(1, MOST_MODELS / folds);
      byNetwork.forEach(
          (network, chosen) -> {
            for (int from = 0; from < chosen.size() && !stopped; from += most) {
              train(network, chosen.subList(from, Math.min(chosen.size(), from + most)), rung, splits);
            }
          });
    }

    private void train(Network network, List<Integer> chosen, int rung, List<Split> splits) {
      int[] looks = looks(epochs(rung));
      double[][] losses = new double[looks.length][];
      try (Ensemble ensemble = ensemble(network, chosen);
          RowsByModel training = rows(chosen.size(), splits, Split::training);
          RowsByModel validation = rows(chosen.size(), splits, Split::validation)) {
        int done = 0;
        for (int look = 0; look < looks.length; look++) {
          if (cancelled.getAsBoolean()) {
            stopped = true;
            return;
          }
          EnsembleResult result = ensemble.fit(training, fit(looks[look] - done, look));
          done = looks[look];
          losses[look] = validate(ensemble, result, validation);
          steps += result.steps();
          listener.progress(new Progress(rung, RUNGS, Math.min(steps, totalSteps), totalSteps, leastLoss()));
        }
      }
      for (int k = 0; k < chosen.size(); k++) {
        keep(chosen.get(k), k, chosen.size(), rung, looks, losses);
      }
    }

    /** Of the ensemble's models: those of a fold side by side, as they have the same rows. */
    private RowsByModel rows(int settings, List<Split> splits, Function<Split, Dataset> part) {
      return RowsByModel.each(
          splits.stream().flatMap(split -> Collections.nCopies(settings, part.apply(split)).stream()).toList());
    }

    /** The epochs after which validation looks. */
    private int[] looks(int rungEpochs) {
      return IntStream.rangeClosed(1, LOOKS).map(i -> (int) ((long) rungEpochs * i / LOOKS)).filter(e -> e > 0).distinct().toArray();
    }

    /** The chosen settings in every fold. */
    private Ensemble ensemble(Network network, List<Integer> chosen) {
      List<Setting> all =
          IntStream.range(0, folds).boxed().flatMap(fold -> chosen.stream().map(settings::get)).toList();
      return Ensemble.builder(network, all.size())
          .optimizer(new Sgd(0))
          .seeds(all.stream().mapToLong(Setting::seed).toArray())
          .learningRates(all.stream().mapToDouble(Setting::learningRate).toArray())
          .momenta(all.stream().mapToDouble(Setting::momentum).toArray())
          .weightDecays(all.stream().mapToDouble(Setting::weightDecay).toArray())
          .device(Device.cpu())
          .build();
    }

    /** A model that diverged is of no use, whatever it says of these rows. */
    private double[] validate(Ensemble ensemble, EnsembleResult result, RowsByModel rows) {
      double[] losses = ensemble.evaluate(rows);
      for (int k = 0; k < losses.length; k++) {
        if (result.model(k).divergedAt().isPresent() || !Double.isFinite(losses[k])) {
          losses[k] = Double.POSITIVE_INFINITY;
        }
      }
      return losses;
    }

    /** @param losses [looks][folds · count], of {@code count} settings, of which this is the k-th */
    private void keep(int setting, int k, int count, int rung, int[] looks, double[][] losses) {
      for (int look = 0; look < looks.length; look++) {
        double[] ofFolds = new double[folds];
        for (int fold = 0; fold < folds; fold++) {
          ofFolds[fold] = losses[look][fold * count + k];
        }
        double mean = Arrays.stream(ofFolds).average().orElseThrow();
        if (best[setting] == null || mean < best[setting].loss()) {
          best[setting] = new SweepResult.Trial(settings.get(setting), mean, ofFolds, epochs(rung), looks[look]);
        }
      }
      best[setting] = best[setting].inRound(rung + 1);
    }

    private double leastLoss() {
      return Arrays.stream(best).filter(Objects::nonNull).mapToDouble(SweepResult.Trial::loss).min().orElse(Double.NaN);
    }
  }

  /**
   * Trains the best setting of a result once more, on all rows.
   *
   * @param data the rows that were searched on
   */
  Model refit(Dataset data, SweepResult.Trial trial) {
    Dataset rows = standardize ? data.standardized() : data;
    try (Trainer trainer =
        Trainer.builder(trial.setting().network())
            .optimizer(trial.setting().optimizer())
            .seed(trial.setting().seed())
            .device(Device.cpu())
            .build()) {
      int done = 0;
      for (int look = 0; done < trial.epochs(); look++) {
        int until = Math.min(trial.epochs(), stretchEnd(trial, look));
        if (until > done) {
          trainer.fit(rows, fit(until - done, look));
          done = until;
        }
      }
      return trainer.model();
    } finally {
      if (standardize) {
        rows.close();
      }
    }
  }

  private static int stretchEnd(SweepResult.Trial trial, int look) {
    return (int) ((long) trial.roundEpochs() * (look + 1) / LOOKS);
  }

  /** Every stretch between two looks has orders of its own, the same for all models. */
  private Fit fit(int stretch, int look) {
    return Fit.epochs(stretch).batch(batch).shuffled(seed + look);
  }

  /** For example {@code at most 1000 settings of …; 5 folds, up to 200 epochs, batch 32, seed 0}. */
  @Override
  public String toString() {
    return space + "; " + folds + " folds, up to " + epochs + " epochs, batch " + batch + ", seed " + seed
        + (standardize ? ", standardized" : "");
  }
}
