package io.ringstep;

/** What a {@link Trainer} computes its gradients in. Parameters and sums are float32 always. */
public enum Precision {
  /** Every product and sum in float32. The default. */
  FLOAT32,

  /**
   * Products on a GPU's tensor cores, of factors with 10 bits of mantissa in place of 23, where there is a kernel for the
   * network ({@link Trainer#path} says {@code fused-tf32}). Faster for large batches; gradients differ from float64 by
   * about 1e-3 in place of 1e-6.
   */
  TF32
}
