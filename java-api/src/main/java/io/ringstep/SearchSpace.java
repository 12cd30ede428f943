package io.ringstep;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.random.RandomGenerator;

/**
 * What a {@link Sweep} may choose: for every setting some values, or a range. Immutable: {@code
 * SearchSpace.of(Network.of(10, 20, 1)).learningRates(Values.logUniform(1e-3, 0.3))}. What is not named has one
 * value: learning rate 0.01, no momentum, no weight decay, seed 0.
 */
public final class SearchSpace {
  private final List<Network> networks;
  private final Values learningRates;
  private final Values momenta;
  private final Values weightDecays;
  private final int seeds;

  /** The values of one setting: a list, or a range to draw from. Immutable. */
  public static final class Values {
    private final double[] list;
    private final double low;
    private final double high;

    private Values(double[] list, double low, double high) {
      this.list = list;
      this.low = low;
      this.high = high;
    }

    /** These values, at least one, each finite and at least 0. */
    public static Values of(double... list) {
      if (list.length == 0) {
        throw new IllegalArgumentException("a list of values must have at least one");
      }
      Arrays.stream(list).forEach(value -> Hyperparameters.requireNonNegative("value", value));
      return new Values(list.clone(), 0, 0);
    }

    /**
     * Any value between, equal ratios being equally likely.
     *
     * @param low above 0
     * @param high at least low, finite
     */
    public static Values logUniform(double low, double high) {
      if (!(low > 0 && high >= low && Double.isFinite(high))) {
        throw new IllegalArgumentException(
            "a range needs 0 < low <= high, but is " + low + " to " + high);
      }
      return new Values(null, low, high);
    }

    boolean isList() {
      return list != null;
    }

    int count() {
      return list.length;
    }

    double at(int index) {
      return list[index];
    }

    double draw(RandomGenerator random) {
      return isList() ? list[random.nextInt(list.length)] : low * Math.pow(high / low, random.nextDouble());
    }

    /** For example {@code 0.001, 0.01} or {@code 0.001..0.1}. */
    @Override
    public String toString() {
      if (!isList()) {
        return low + ".." + high;
      }
      String text = Arrays.toString(list);
      return text.substring(1, text.length() - 1);
    }
  }

  /**
   * One choice of everything.
   *
   * @param seed of the random weights and the order of rows
   */
  public record Setting(Network network, double learningRate, double momentum, double weightDecay, long seed) {
    /** The optimizer of this setting. */
    public Sgd optimizer() {
      return new Sgd(learningRate, momentum, false, weightDecay);
    }
  }

  private SearchSpace(
      List<Network> networks, Values learningRates, Values momenta, Values weightDecays, int seeds) {
    this.networks = networks;
    this.learningRates = learningRates;
    this.momenta = momenta;
    this.weightDecays = weightDecays;
    this.seeds = seeds;
  }

  /** Networks to choose from, at least one, all of the same inputs and outputs. */
  public static SearchSpace of(Network... networks) {
    if (networks.length == 0) {
      throw new IllegalArgumentException("a search needs at least one network");
    }
    for (Network network : networks) {
      if (network.inputs() != networks[0].inputs() || network.outputs() != networks[0].outputs()) {
        throw new IllegalArgumentException(
            "networks " + networks[0] + " and " + network + " have different inputs or outputs");
      }
    }
    Values one = Values.of(0);
    return new SearchSpace(List.of(networks), Values.of(0.01), one, one, 1);
  }

  /** The same with these learning rates. */
  public SearchSpace learningRates(Values values) {
    return new SearchSpace(networks, Objects.requireNonNull(values, "values"), momenta, weightDecays, seeds);
  }

  /** The same with these momenta of SGD. */
  public SearchSpace momenta(Values values) {
    return new SearchSpace(networks, learningRates, Objects.requireNonNull(values, "values"), weightDecays, seeds);
  }

  /** The same with these weight decays (L2). */
  public SearchSpace weightDecays(Values values) {
    return new SearchSpace(networks, learningRates, momenta, Objects.requireNonNull(values, "values"), seeds);
  }

  /**
   * The same with so many seeds, 0, 1, 2, …
   *
   * @param count at least 1
   */
  public SearchSpace seeds(int count) {
    if (count < 1) {
      throw new IllegalArgumentException("seeds must be at least 1, but is " + count);
    }
    return new SearchSpace(networks, learningRates, momenta, weightDecays, count);
  }

  /** The networks to choose from. */
  public List<Network> networks() {
    return networks;
  }

  /**
   * Settings to try: every combination where all values are lists and {@code most} is enough for them, else {@code
   * most} drawn at random.
   */
  List<Setting> settings(int most, RandomGenerator random) {
    if (learningRates.isList() && momenta.isList() && weightDecays.isList() && combinations() <= most) {
      return grid();
    }
    List<Setting> drawn = new ArrayList<>();
    for (int i = 0; i < most; i++) {
      drawn.add(
          new Setting(
              networks.get(random.nextInt(networks.size())),
              learningRates.draw(random),
              momenta.draw(random),
              weightDecays.draw(random),
              random.nextInt(seeds)));
    }
    return drawn;
  }

  private double combinations() {
    return (double) networks.size() * learningRates.count() * momenta.count() * weightDecays.count() * seeds;
  }

  private List<Setting> grid() {
    List<Setting> grid = new ArrayList<>();
    for (Network network : networks) {
      for (int lr = 0; lr < learningRates.count(); lr++) {
        for (int momentum = 0; momentum < momenta.count(); momentum++) {
          for (int decay = 0; decay < weightDecays.count(); decay++) {
            for (int seed = 0; seed < seeds; seed++) {
              grid.add(
                  new Setting(
                      network, learningRates.at(lr), momenta.at(momentum), weightDecays.at(decay), seed));
            }
          }
        }
      }
    }
    return grid;
  }

  /** For example {@code 2 networks, lr 0.001..0.1, momentum 0.0, 0.9, weight decay 0.0, 4 seeds}. */
  @Override
  public String toString() {
    return networks.size() + (networks.size() == 1 ? " network" : " networks") + ", lr " + learningRates
        + ", momentum " + momenta + ", weight decay " + weightDecays
        + ", " + seeds + (seeds == 1 ? " seed" : " seeds");
  }
}
