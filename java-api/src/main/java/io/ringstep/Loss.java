package io.ringstep;

import java.util.Locale;
import java.util.Objects;

/**
 * What training makes small: a function of the network's output z and the target y, and its mean. Formulas are PyTorch's.
 *
 * <p>The mean is over rows and outputs; with {@link #CROSS_ENTROPY}, over rows. Where a {@link Dataset} has sample weights
 * w, it is Σ wᵢ·ℓᵢ / Σ wᵢ, with ℓᵢ the mean over the outputs of row i.
 *
 * @param kind the formula
 * @param delta Huber's δ, above 0; of no meaning to the others
 */
public record Loss(Kind kind, double delta) {
  /** Mean squared error, {@code torch.nn.MSELoss}: (z − y)². */
  public static final Loss MSE = new Loss(Kind.MSE, 1);

  /** Mean absolute error, {@code torch.nn.L1Loss}: |z − y|, with derivative 0 at 0. */
  public static final Loss MAE = new Loss(Kind.MAE, 1);

  /**
   * Binary cross-entropy with logits, {@code torch.nn.BCEWithLogitsLoss}: max(z, 0) − z·y + log(1 + exp(−|z|)), with y from
   * 0 to 1. The output z stands for the probability 1 / (1 + exp(−z)).
   */
  public static final Loss BCE = new Loss(Kind.BCE, 1);

  /**
   * Softmax cross-entropy, {@code torch.nn.CrossEntropyLoss}: log Σ exp(z_c) − z_y. The network has one output for each
   * class; the data has one target, the class y, a whole number from 0 to outputs − 1.
   */
  public static final Loss CROSS_ENTROPY = new Loss(Kind.CROSS_ENTROPY, 1);

  /** The formulas, in the engine's order. */
  public enum Kind {
    /** See {@link Loss#MSE}. */
    MSE,
    /** See {@link Loss#MAE}. */
    MAE,
    /** See {@link Loss#huber}. */
    HUBER,
    /** See {@link Loss#BCE}. */
    BCE,
    /** See {@link Loss#CROSS_ENTROPY}. */
    CROSS_ENTROPY
  }

  /** Checks the range of delta. */
  public Loss {
    Objects.requireNonNull(kind, "kind");
    Hyperparameters.requirePositive("delta", delta);
  }

  /**
   * {@code torch.nn.HuberLoss}: with e = z − y, e² / 2 where |e| ≤ δ, else δ·(|e| − δ / 2). Where targets are standardized,
   * δ is in standard deviations.
   *
   * @param delta δ, finite, above 0
   */
  public static Loss huber(double delta) {
    return new Loss(Kind.HUBER, delta);
  }

  /** Whether outputs stand for probabilities: {@link #BCE} and {@link #CROSS_ENTROPY}. */
  public boolean isClassifier() {
    return kind == Kind.BCE || kind == Kind.CROSS_ENTROPY;
  }

  /** Targets of a row for a network of so many outputs: one, the class, with {@link #CROSS_ENTROPY}. */
  public int targets(int outputs) {
    return kind == Kind.CROSS_ENTROPY ? 1 : outputs;
  }

  /** As on the command line: {@code mse}, {@code mae}, {@code huber}, {@code bce}, {@code cross-entropy}. */
  @Override
  public String toString() {
    return kind.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
